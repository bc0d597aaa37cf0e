/** One instance, as an embedder holds it: its exports as fibers. Who runs when is the scheduler's. */
import type { BackendKind, GuestFunction } from '../backends/backend.ts';
import { FiberError } from '../errors.ts';
import type { Fiber, FiberInfo, SpawnOptions } from './api.ts';
import { SECTION } from './metadata.ts';
import { checkSpawnOptions } from './options.ts';
import type { Binding } from './binding.ts';
import { type Entry, plainEntry } from './fiber.ts';
import type { Scheduler } from './scheduler.ts';

/** Exports that expect the whole of the guest's own stack. */
const MAIN_EXPORTS: readonly string[] = ['_start', '_initialize', '__wasm_call_ctors'];
/** Exports that belong to the switching, not to the guest. */
const INTERNAL = /^(?:asyncify_|__fibers_|__setArgumentsLength$|wasm-fibers\.)/;

type AnyFunction = (...args: unknown[]) => unknown;

/** A guest whose exports are of any type; `instantiate` hands it out as a `Guest` of the types that its caller gives. */
export class EmbeddedGuest {
  readonly exports: Record<string, unknown> = Object.create(null);
  readonly sync: Record<string, AnyFunction> = Object.create(null);
  readonly module: WebAssembly.Module;
  readonly instance: WebAssembly.Instance;
  readonly #scheduler: Scheduler;
  readonly #binding: Binding | null;
  readonly #memory: WebAssembly.Memory | null;
  readonly #entries = new Map<string, Entry>();
  readonly #wrapped = new WeakMap<GuestFunction, AnyFunction>();

  constructor(
    scheduler: Scheduler,
    module: WebAssembly.Module,
    instance: WebAssembly.Instance,
    memory: WebAssembly.Memory | null,
    binding: Binding | null,
  ) {
    this.#scheduler = scheduler;
    this.#binding = binding;
    this.module = module;
    this.instance = instance;
    // What only the instrumenter has exported, for the window, is not for the embedder.
    this.#memory = memory === instance.exports[`${SECTION}.memory`] ? null : memory;
    for (const { name } of WebAssembly.Module.exports(module)) {
      if (INTERNAL.test(name)) continue;
      const value = instance.exports[name];
      if (typeof value !== 'function') {
        this.exports[name] = value === undefined ? value : (binding?.value?.(name, value) ?? value);
        continue;
      }
      const enter = instance.exports[`${SECTION}.enter.${name}`];
      const entry: Entry = {
        ...plainEntry(name, value as GuestFunction, MAIN_EXPORTS.includes(name)),
        ...(typeof enter === 'function' && { enter: enter as GuestFunction }),
        conversion: binding?.entry(name) ?? null,
      };
      this.#entries.set(name, entry);
      this.exports[name] = (...args: unknown[]) => scheduler.call(entry, args);
      this.sync[name] = (...args) => scheduler.callSync(entry, args);
    }
    Object.freeze(this.exports);
    Object.freeze(this.sync);
  }

  get memory(): WebAssembly.Memory {
    if (this.#memory === null)
      throw new FiberError('NO_SUCH_EXPORT', 'The guest neither exports nor imports a memory.');
    return this.#memory;
  }

  get backend(): BackendKind {
    return this.#scheduler.backend.kind;
  }

  get fibers(): readonly Fiber[] {
    return this.#scheduler.fibers;
  }

  spawn(name: string, args: readonly unknown[] = [], options: SpawnOptions = {}): Fiber {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      throw new FiberError(
        'NO_SUCH_EXPORT',
        `The guest exports no function ${name}. It has: ${[...this.#entries.keys()].join(', ') || 'none'}.`,
      );
    }
    checkSpawnOptions(options);
    if (!Array.isArray(args)) {
      throw new FiberError('INVALID_OPTION', `The arguments of ${name} must be an array; they are ${String(args)}.`);
    }
    return this.#scheduler.launch(entry, [...args], options);
  }

  wrap(fn: AnyFunction): AnyFunction {
    if (typeof fn !== 'function') {
      throw new FiberError('INVALID_OPTION', `guest.wrap takes a function of the guest, not ${typeof fn}.`);
    }
    let wrapped = this.#wrapped.get(fn);
    if (wrapped === undefined) {
      const entry = plainEntry(fn.name ? `function ${fn.name}` : 'function', fn);
      wrapped = (...args) => this.#scheduler.call(entry, args);
      this.#wrapped.set(fn, wrapped);
    }
    return wrapped;
  }

  dump(): FiberInfo[] {
    const now = Date.now();
    return this.#scheduler.fibers.map((fiber) => ({
      id: fiber.id,
      name: fiber.name,
      state: fiber.state,
      age: now - fiber.created,
      import: fiber.site?.name ?? null,
      waitingFor: this.#binding?.waitingFor?.(fiber) ?? null,
      waitsFor: fiber.waitsFor?.id ?? null,
      frameBytes: fiber.frameBytes,
      stack: fiber.stack,
    }));
  }

  dispose(): Promise<void> {
    return this.#scheduler.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
