/** From a source to a guest: compile, read what the module says of itself, link, instantiate, run its start function. */
import type { Backend } from '../backends/backend.ts';
import { FiberError } from '../errors.ts';
import type { Guest, GuestOptions, Imports, Source, SourcePair, UntypedExports } from './api.ts';
import type { Binding } from './binding.ts';
import { chooseBackend, pickSource } from './choice.ts';
import { asyncifyConnector } from './connect-asyncify.ts';
import { jspiConnector } from './connect-jspi.ts';
import { explain } from './failures.ts';
import { plainEntry } from './fiber.ts';
import { findMemory, guestFunction } from './guest-parts.ts';
import { EmbeddedGuest } from './guest.ts';
import { linkImports } from './linking.ts';
import { METER, readMetadata, SECTION } from './metadata.ts';
import type { Meter } from './meter.ts';
import { checkOptions, notMetered } from './options.ts';
import type { CheckedOptions } from './options.ts';
import { Scheduler } from './scheduler.ts';
import { compile } from './source.ts';

/**
 * Instantiates a module so that its calls run as fibers: an import that returns a promise suspends the fiber that called
 * it, and nobody else.
 *
 * Give the types of the exports to have them promise-returning: `instantiate<{ run(id: number): number }>(...)`.
 *
 * @param source the module, best instrumented with `wasm-fibers instrument`; or a pair `{ asyncify, jspi }` of modules made
 * with `--target both`, of which the one that is needed is fetched. A module that was not instrumented runs too, and can
 * wait on engines that have JSPI, at imports marked `suspending(fn)`
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
  source: Source | SourcePair | PromiseLike<Source>,
  imports: Imports = {},
  options: GuestOptions = {},
): Promise<Guest<E>> {
  return instantiateWith<E>(() => null, source, imports, options);
}

/**
 * The same for a guest whose language has a binding.
 *
 * @param bind makes the binding of the module, or throws if it cannot be one of this language's
 */
export async function instantiateWith<E>(
  bind: (module: WebAssembly.Module) => Binding | null,
  source: Source | SourcePair | PromiseLike<Source>,
  given: Imports,
  options: GuestOptions,
): Promise<Guest<E>> {
  const checked = checkOptions(options);
  checked.signal?.throwIfAborted();
  const picked = pickSource(source, given, checked.backend);
  const module = await compile(picked.source);
  const metadata = readMetadata(module);
  const engine = chooseBackend(checked.backend, picked.kind, metadata, given);
  const binding = bind(module);
  const connector = engine === null ? asyncifyConnector(metadata) : jspiConnector(metadata, engine);
  const scheduler = new Scheduler(checked, connector);
  const { backend } = scheduler.connection;
  const isMetered = metadata?.metered === true;
  if (!isMetered) refuseMetering(options);
  const meter = isMetered ? await newMeter(checked, backend) : null;
  const own = binding === null ? given : binding.imports(module, given);
  const imports = meter === null ? own : { ...own, [METER]: meter.imports };
  const linked = linkImports(module, imports, metadata, backend, binding, meter?.watched ?? null);
  try {
    const instance = await instantiateModule(module, linked);
    const memory = findMemory(instance, linked);
    // The types of the exports are the caller's to know.
    const guest = new EmbeddedGuest(scheduler, module, instance, memory, binding) as unknown as Guest<E>;
    meter?.attach(instance.exports);
    const own = <T>(call: () => T): T =>
      meter === null ? call() : meter.callOwn(call, (error) => scheduler.broken(error));
    const oneAtATime = scheduler.connection.attach({
      exports: instance.exports,
      memory,
      options: checked,
      callSync: (fn, args) => own(() => backend.callSync(fn, args)),
      own,
    });
    const managed = metadata?.stack?.kind === 'assemblyscript';
    scheduler.attach(guest as unknown as Guest, { managed, binding, oneAtATime, meter });
    binding?.attach({
      guest: guest as unknown as Guest,
      memory,
      spawn: (fn, name, args, parent) =>
        scheduler.launch(plainEntry(name, fn), args, parent === undefined ? null : { parent }),
      callSync: (fn, args) => scheduler.callSync(plainEntry(fn.name, fn), args),
    });
    checked.signal?.throwIfAborted();
    if (metadata?.start === true) {
      await scheduler.call(plainEntry('start', guestFunction(instance.exports, `${SECTION}.start`), true), []);
    }
    return guest;
  } catch (error) {
    // Nobody will ever hold the guest: it lets go of the signal, and of what its start function has begun.
    void scheduler.dispose();
    throw explain(error);
  }
}

/** A limit that nobody would keep is not to be relied on. */
function refuseMetering({ limits, weight }: GuestOptions): void {
  const given = { 'limits.fuel': limits?.fuel, 'limits.sliceMs': limits?.sliceMs, weight };
  for (const [option, value] of Object.entries(given)) if (value !== undefined) throw notMetered(option);
}

/** Loaded by those alone who need it. */
async function newMeter(options: CheckedOptions, backend: Backend): Promise<Meter> {
  const { Meter } = await import('./meter.ts');
  return new Meter(options, () => backend.canSuspend() && backend.prepared);
}

async function instantiateModule(
  module: WebAssembly.Module,
  imports: WebAssembly.Imports,
): Promise<WebAssembly.Instance> {
  try {
    return await WebAssembly.instantiate(module, imports);
  } catch (cause) {
    if (!(cause instanceof WebAssembly.LinkError)) throw cause;
    throw new FiberError('MISSING_IMPORTS', `The module does not accept the imports: ${cause.message}`, { cause });
  }
}
