// File systems that take their time, over another one: for tests of what happens meanwhile.
import type { Directory, FileSystem, OpenFile } from 'wasm-fibers/wasi';
import { turn } from './core.ts';

/** What is called before each method does its work, with its name, as in `/a/b.lookup` or `f.write`. */
type Before = (call: string) => PromiseLike<void>;

function delayed(files: FileSystem, before: Before): FileSystem {
  const wrap = <T extends Directory | OpenFile>(target: T, name: string): T =>
    new Proxy(target, {
      get(_, key) {
        const method: unknown = Reflect.get(target, key);
        // Memory needs no closing; whether it would be done is seen all the same.
        if (typeof method !== 'function' && key !== 'close') return method;
        return async (...args: unknown[]) => {
          await before(`${name}.${String(key)}`);
          const result: unknown = typeof method === 'function' ? Reflect.apply(method, target, args) : undefined;
          if (key === 'openDirectory') return wrap(result as Directory, `${name}/${String(args[0])}`);
          return key === 'openFile' ? wrap(result as OpenFile, String(args[0])) : result;
        };
      },
    });
  return { root: async () => wrap((await files.root()) as Directory, '') };
}

/** A file system whose every answer takes a turn of the event loop. */
export function slow(files: FileSystem, log: string[] = []): FileSystem {
  return delayed(files, async (call) => {
    await turn();
    log.push(call);
  });
}

/** A file system whose answers come at once, but those of some methods only when the test lets them. */
export class HeldFiles {
  readonly files: FileSystem;
  /** What was asked, in order: when it began. */
  readonly log: string[] = [];
  /** Of the calls that are held: lets the oldest one go on. */
  readonly #held: (() => void)[] = [];

  /** @param pattern which calls wait to be released */
  constructor(files: FileSystem, pattern: RegExp) {
    this.files = delayed(files, async (call) => {
      this.log.push(call);
      if (pattern.test(call)) await new Promise<void>((resolve) => this.#held.push(resolve));
    });
  }

  /** Waits until so many calls are held. */
  async until(count: number): Promise<void> {
    while (this.#held.length < count) await turn();
  }

  release(): void {
    const next = this.#held.shift();
    if (next === undefined) throw new Error('nothing is held');
    next();
  }

  /** How often a method was called. */
  count(pattern: RegExp): number {
    return this.log.filter((call) => pattern.test(call)).length;
  }
}
