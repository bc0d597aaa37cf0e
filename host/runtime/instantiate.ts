/** From a source to a guest: compile, read what the module says of itself, link, instantiate, run its start function. */
import { FiberError } from '../errors.ts';
import type { Guest, GuestOptions, Imports, Source, UntypedExports } from './api.ts';
import { asyncifyControls, findMemory } from './attach.ts';
import { GuestRuntime } from './guest.ts';
import { linkImports } from './linking.ts';
import { readMetadata, SECTION } from './metadata.ts';
import { checkOptions } from './options.ts';
import { compile } from './source.ts';

/**
 * Instantiates a module so that its calls run as fibers: an import that returns a promise suspends the fiber that called
 * it, and nobody else.
 *
 * Give the types of the exports to have them promise-returning: `instantiate<{ run(id: number): number }>(...)`.
 *
 * @param source the module, best instrumented with `wasm-fibers instrument`; a module that was not runs too, but cannot
 * wait
 * @param imports by module and name; a function that was named suspending may return a promise or a thenable
 * @throws FiberError `NOT_WASM`, `BAD_MODULE`, `BAD_METADATA`, `MISSING_IMPORTS`, `INVALID_OPTION`,
 * `BACKEND_UNAVAILABLE`; and whatever the module's start function throws
 * @example
 * const guest = await instantiate<{ run(id: number): number }>(new URL('app.wasm', import.meta.url), {
 *   env: { sleep: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)) },
 * });
 * const [a, b] = await Promise.all([guest.exports.run(1), guest.exports.run(2)]);
 */
export async function instantiate<E = UntypedExports>(
  source: Source | PromiseLike<Source>,
  imports: Imports = {},
  options: GuestOptions = {},
): Promise<Guest<E>> {
  const checked = checkOptions(options);
  checked.signal?.throwIfAborted();
  const module = await compile(source);
  const metadata = readMetadata(module);
  const guest = new GuestRuntime(module, checked);
  const linked = linkImports(module, imports, metadata, guest.switching);
  if (metadata !== null) linked[SECTION] = guest.switching.linkControls();
  const instance = await instantiateModule(module, linked);
  const memory = findMemory(instance, linked);
  guest.attach(instance, memory);
  if (metadata !== null && memory !== null) {
    guest.switching.attach(
      asyncifyControls({
        metadata,
        exports: instance.exports,
        memory,
        options: checked,
        callSync: (fn, args) => guest.switching.callSync(fn, args),
      }),
    );
  }
  checked.signal?.throwIfAborted();
  if (metadata?.start === true) await guest.runStart();
  // The types of the exports are the caller's to know.
  return guest as unknown as Guest<E>;
}

async function instantiateModule(
  module: WebAssembly.Module,
  imports: WebAssembly.Imports,
): Promise<WebAssembly.Instance> {
  try {
    return await WebAssembly.instantiate(module, imports);
  } catch (cause) {
    if (!(cause instanceof WebAssembly.LinkError)) throw cause;
    throw new FiberError(
      'MISSING_IMPORTS',
      `The module does not accept what was given for its imports: ${cause.message}`,
      { cause },
    );
  }
}
