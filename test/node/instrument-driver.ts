/**
 * The smallest host that can drive an instrumented module: one fiber at a time, one window, segments on a stack. It stands
 * for the runtime where tests want the instrumenter alone.
 */
import binaryen from 'binaryen';
import type { InstrumentResult } from '../../host/instrument/index.ts';

const HEADER = 32;

/** Assembles text, with a name section unless told otherwise. */
export function assemble(wat: string, names: boolean = true): Uint8Array {
  const module = binaryen.parseText(wat);
  try {
    module.setFeatures(FEATURES);
    binaryen.setDebugInfo(names);
    return module.emitBinary();
  } finally {
    binaryen.setDebugInfo(false);
    module.dispose();
  }
}

/** A module inside Binaryen, which may use what text may use, whatever it says of itself. */
export function read(wasm: Uint8Array): binaryen.Module {
  const module = binaryen.readBinary(wasm);
  module.setFeatures(FEATURES);
  return module;
}

/** What text may use; with all features Binaryen writes encodings that no engine reads yet. */
const FEATURES = [
  'Atomics',
  'MutableGlobals',
  'NontrappingFPToInt',
  'SIMD128',
  'BulkMemory',
  'BulkMemoryOpt',
  'SignExt',
  'ExceptionHandling',
  'TailCall',
  'ReferenceTypes',
  'Multivalue',
  'GC',
  'Memory64',
  'ExtendedConst',
  'MultiMemory',
].reduce<number>(
  (all, name) => all | ((binaryen.Features as unknown as Record<string, number>)[name] ?? 0),
  0,
) as binaryen.Features;

type Value = number | bigint | undefined | readonly (number | bigint)[];
type Host = (...args: never[]) => unknown;

export interface Driven {
  readonly instance: WebAssembly.Instance;
  readonly memory: WebAssembly.Memory;
  /** Runs an export as a fiber. */
  run(name: string, ...args: (number | bigint)[]): Promise<Value>;
  /** How often the window was emptied in the middle of an unwind. */
  drains: number;
  suspensions: number;
  call(name: string, ...args: unknown[]): unknown;
}

/**
 * Instantiates with suspending imports wrapped. Imports not given are functions that return nothing.
 *
 * @param options `window`: its size in bytes; `others`: imports that are no functions;
 * `at`: its address, instead of memory from the guest's allocator
 */
export async function drive(
  result: InstrumentResult,
  host: Record<string, Host> = {},
  options: { window?: number; others?: Record<string, Record<string, unknown>>; at?: number } = {},
): Promise<Driven> {
  const { metadata } = result;
  const imports: Record<string, Record<string, unknown>> = {};
  for (const [module, fields] of Object.entries(options.others ?? {})) imports[module] = { ...fields };
  let pending: Promise<unknown> | null = null;
  let settled: { value?: unknown; error?: unknown } | null = null;
  const state = (): number => Number(call('asyncify_get_state'));
  let data = 0;
  const segments: Uint8Array[] = [];

  for (const { module, name, suspending } of metadata.imports) {
    const own = host[`${module}.${name}`] ?? (() => undefined);
    const into = (imports[module] ??= {});
    into[name] = !suspending
      ? own
      : (...args: never[]): unknown => {
          if (state() === 2) {
            call('asyncify_stop_rewind');
            const outcome = settled ?? {};
            settled = null;
            if ('error' in outcome) throw outcome.error;
            return outcome.value;
          }
          const value = own(...args);
          if (!(value instanceof Promise)) return value;
          if (metadata.catchDepth && Number(call('wasm-fibers.get_catch_depth')) > 0)
            throw new Error('SUSPEND_IN_CATCH');
          pending = value;
          driven.suspensions += 1;
          view()[0] = data + HEADER;
          call('asyncify_start_unwind', data);
          return zero(metadata.imports.find((each) => each.module === module && each.name === name)?.results ?? []);
        };
  }
  imports['wasm-fibers'] = {
    drain: (position: number): number => {
      driven.drains += 1;
      segments.push(new Uint8Array(memory.buffer).slice(data + HEADER, position));
      return data + HEADER;
    },
    refill: (): number => {
      const segment = segments.pop();
      if (segment === undefined) throw new Error('nothing to refill');
      new Uint8Array(memory.buffer).set(segment, data + HEADER);
      return data + HEADER + segment.length;
    },
    stack_overflow: (pointer: number): void => {
      throw new Error(`SHADOW_STACK_OVERFLOW at ${pointer}`);
    },
  };
  const { instance } = await WebAssembly.instantiate(
    result.wasm as Uint8Array<ArrayBuffer>,
    imports as WebAssembly.Imports,
  );
  const memory = Object.values(instance.exports).find(
    (each) => each instanceof WebAssembly.Memory,
  ) as WebAssembly.Memory;
  const call = (name: string, ...args: unknown[]): unknown =>
    (instance.exports[name] as (...args: unknown[]) => unknown)(...args);
  const view = (): Int32Array => new Int32Array(memory.buffer, data, HEADER / 4);

  const size = options.window ?? 65_536;
  const { allocator } = metadata;
  if (options.at !== undefined) data = options.at;
  else if (allocator?.kind === 'grow') data = memory.grow(Math.ceil((size + HEADER) / 65_536)) * 65_536;
  else if (allocator !== null && allocator !== undefined)
    data = (Number(call(allocator.alloc, size + HEADER + 16)) + 15) & ~15;
  view()
    .fill(0)
    .set([data + HEADER, data + HEADER + size]);

  const driven: Driven = {
    instance,
    memory,
    drains: 0,
    suspensions: 0,
    call,
    async run(name, ...args) {
      let value = call(name, ...args);
      while (state() === 1) {
        call('asyncify_stop_unwind');
        settled = await Promise.resolve(pending).then(
          (value) => ({ value }),
          (error: unknown) => ({ error }),
        );
        call('asyncify_start_rewind', data);
        value = call(name, ...args);
      }
      return value as Value;
    },
  };
  return driven;
}

function zero(results: readonly string[]): unknown {
  const one = (type: string): number | bigint => (type === 'i64' ? 0n : 0);
  const [first] = results;
  if (results.length > 1) return results.map(one);
  return first === undefined ? undefined : one(first);
}
