/**
 * What `import 'wasm-fibers/assemblyscript'` gives: guests written in AssemblyScript and compiled with the transform, with
 * TypeScript's values on both sides.
 */
import type { FiberLimits, Guest, GuestOptions, Imports, Source, SourcePair, UntypedExports } from '../runtime/api.ts';
import { instantiateWith } from '../runtime/instantiate.ts';
import type { ValueLimits } from './allowance.ts';
import { AssemblyScriptBinding } from './binding.ts';
import type { TaskOptions } from './tasks.ts';

/** Options of `instantiate`. */
export interface InstantiateOptions extends Omit<GuestOptions, 'limits'>, TaskOptions {
  /** Of values, for guests that are not trusted; and those of metered guests. */
  readonly limits?: FiberLimits & ValueLimits;
  /** The module, or a pair of them, for generated code that otherwise loads the `.wasm` files beside it. */
  readonly source?: Source | SourcePair | PromiseLike<Source>;
}

/**
 * Instantiates a module that was compiled with the transform `wasm-fibers/transform`. Its exports take and return
 * JavaScript's values, and return promises; so do its imports, and those marked `@suspending` may return promises.
 *
 * Usually called by the code that the transform writes beside the module, which has the types.
 *
 * @param source the module: a URL, its bytes, a compiled module or a response, or a promise of one; or a pair
 * `{ asyncify, jspi }` of modules that were compiled with the target `both`, of which the one that is needed is fetched
 * @param imports by module and name; those of AssemblyScript's own library need not be given
 * @throws FiberError `NOT_TYPED` if the module was compiled without the transform; `BAD_METADATA` and the errors of the
 * core's `instantiate`
 * @example
 * const guest = await instantiate<{ greet(name: string): string }>(new URL('app.wasm', import.meta.url), {
 *   env: { fetchText: async (url: string) => (await fetch(url)).text() },
 * });
 * console.log(await guest.exports.greet('World'));
 */
export async function instantiate<E = UntypedExports, I extends object = Imports>(
  source: Source | SourcePair | PromiseLike<Source>,
  imports?: I,
  options: InstantiateOptions = {},
): Promise<Guest<E>> {
  const { source: _, whenIdle, onTaskError, limits, ...rest } = options;
  const { inputBytes, outputBytes, ...fiberLimits } = limits ?? {};
  const valueLimits = {
    ...(inputBytes !== undefined && { inputBytes }),
    ...(outputBytes !== undefined && { outputBytes }),
  };
  const tasks = { ...(whenIdle !== undefined && { whenIdle }), ...(onTaskError !== undefined && { onTaskError }) };
  let start: string | null = null;
  const bind = (module: WebAssembly.Module): AssemblyScriptBinding => {
    const binding = new AssemblyScriptBinding(module, tasks, valueLimits);
    start = binding.start;
    return binding;
  };
  // An interface, which generated code has, is no record to the compiler; its members are looked at one by one.
  const guest = await instantiateWith(bind, source, (imports ?? {}) as Imports, {
    ...rest,
    ...(limits !== undefined && { limits: fiberLimits }),
  });
  await runStart(guest, start);
  // The types of the exports are the caller's to know.
  return guest as unknown as Guest<E>;
}

/** Without its top-level code the guest's allocator does not work; AssemblyScript's own glue runs it here, too. */
async function runStart(guest: Guest, start: string | null): Promise<void> {
  if (start === null) return;
  try {
    await guest.exports[start]?.();
  } catch (error) {
    // Nobody will ever hold the guest.
    void guest.dispose();
    throw error;
  }
}

// But for `instantiate`, which is the one above: what a module exports itself wins over what it passes on.
export * from '../index.ts';
export { AssemblyScriptError } from './abort.ts';
export type { ValueLimits } from './allowance.ts';
export { Reference } from './references.ts';
export { TaskError } from './tasks-failures.ts';
export type { TaskOptions } from './tasks.ts';
