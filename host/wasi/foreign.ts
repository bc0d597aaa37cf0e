/**
 * Which calls of a program another implementation answers, where one was given: all that it does not spoil. What ends the
 * program, sleeps, polls and yields is answered here, and so is everything about a stream that the options name.
 */
import type { Guest } from '../index.ts';
import type { ForeignFunction, WasiProvider } from './provider.ts';

/** They would end the program by an exception of their own, hold the event loop up, or trap. */
const ALWAYS_OURS: ReadonlySet<string> = new Set(['poll_oneoff', 'proc_exit', 'proc_raise', 'sched_yield']);

/** Options by which a function becomes ours. */
const BY_OPTION: Readonly<Record<string, string>> = {
  args_get: 'args',
  args_sizes_get: 'args',
  environ_get: 'env',
  environ_sizes_get: 'env',
  clock_res_get: 'clock',
  clock_time_get: 'clock',
  random_get: 'random',
};

const STREAMS = ['stdin', 'stdout', 'stderr'] as const;

export class Foreign {
  readonly #provider: WasiProvider;
  readonly #given: ReadonlySet<string>;
  #functions: Readonly<Record<string, unknown>> | null = null;

  /** @param given the names of the options that the embedder gave */
  constructor(provider: WasiProvider, given: ReadonlySet<string>) {
    this.#provider = provider;
    this.#given = given;
  }

  /** Is that descriptor the other one's? */
  owns(fd: number): boolean {
    const stream = STREAMS[fd];
    return stream === undefined || !this.#given.has(stream);
  }

  /** Is the call, of a function with these arguments, to be answered by the other one? */
  answers(name: string, args: readonly (number | bigint)[]): boolean {
    if (ALWAYS_OURS.has(name)) return false;
    const option = Object.hasOwn(BY_OPTION, name) ? BY_OPTION[name] : undefined;
    if (option !== undefined) return !this.#given.has(option);
    return !/^(?:fd|sock)_/.test(name) || this.owns(Number(args[0]));
  }

  /** Null if the other one has no such function. */
  find(name: string, guest: Guest): ForeignFunction | null {
    this.#functions ??= this.#provider.attach(guest);
    const found = this.#functions[name];
    return typeof found === 'function' ? (found as ForeignFunction) : null;
  }
}
