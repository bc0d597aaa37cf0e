/** Binds a module that says what its types are (types.ts) to the runtime: which values are converted how, and where. */
import type { Fiber, Imports, ImportValue } from '../runtime/api.ts';
import { Allowances, type ValueLimits } from './allowance.ts';
import type { Binding, BindingHost, EntryConversion, SiteConversion } from '../runtime/binding.ts';
import { Codecs } from './codecs.ts';
import { COLLECT, Collections } from './collections.ts';
import { defaultImport } from './defaults.ts';
import { type Conversions, entryConversion, globalConversion, siteConversion } from './functions.ts';
import { GuestMemory } from './memory.ts';
import { readTypes } from './parse.ts';
import { References } from './references.ts';
import { TASKS_MODULE } from './provided.ts';
import { TaskHost, type TaskOptions } from './tasks.ts';
import type { FunctionType, GlobalType, ImportType } from './types.ts';

export class AssemblyScriptBinding implements Binding {
  readonly #allowances: Allowances;
  readonly #memory: GuestMemory;
  readonly #shared: Conversions;
  readonly #exports: ReadonlyMap<string, FunctionType>;
  readonly #imports: ReadonlyMap<string, ImportType>;
  readonly #globals: ReadonlyMap<string, GlobalType>;
  readonly #tasks: TaskHost;
  /** Null if the guest's collector may run at any time. */
  readonly #collections: Collections | null;
  /** The export that runs the module's top-level code, if it has no start function (`asc --exportStart`). */
  readonly start: string | null;
  #host: BindingHost | null = null;
  #abortsByDefault = false;
  #setArgumentsLength: ((count: number) => void) | null = null;

  /** @throws FiberError `NOT_TYPED`, `BAD_METADATA`, `INVALID_OPTION` */
  constructor(module: WebAssembly.Module, options: TaskOptions, limits: ValueLimits) {
    const { runtime, types, exports, imports, globals, start } = readTypes(module);
    this.start = start ?? null;
    this.#tasks = new TaskHost(options);
    this.#collections = runtime === 'minimal' ? new Collections() : null;
    this.#allowances = new Allowances(limits);
    const memory = new GuestMemory(this.#allowances);
    this.#memory = memory;
    this.#shared = {
      memory,
      codecs: new Codecs(types, memory, new References(memory)),
      collects: runtime === 'incremental',
      setArgumentsLength: (count) => this.#setArgumentsLength?.(count),
    };
    this.#exports = new Map(exports.map((each) => [each.name, each]));
    this.#imports = new Map(imports.map((each) => [keyOf(each.module, each.name), each]));
    this.#globals = new Map(globals.map((each) => [each.name, each]));
  }

  imports(module: WebAssembly.Module, given: Imports): Imports {
    const all: Record<string, Record<string, ImportValue>> = Object.create(null);
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      if (from === 'env' && name === 'abort') this.#abortsByDefault = member(member(given, from), name) === undefined;
      // What is of the wrong type is reported, with its name, where everything is linked.
      const value = (
        from === TASKS_MODULE
          ? this.#tasks.imports[name]
          : (member(member(given, from), name) ?? defaultImport(this.#memory, from, name))
      ) as ImportValue | undefined;
      if (value === undefined) continue;
      const target = (all[from] ??= Object.create(null) as Record<string, ImportValue>);
      target[name] = value;
    }
    return all;
  }

  attach(host: BindingHost): void {
    const { exports } = host.guest.instance;
    this.#host = host;
    this.#memory.attach(host.memory, exports);
    this.#tasks.attach(host);
    this.#collections?.attach(host.guest);
    const setArgumentsLength = exports['__setArgumentsLength'];
    if (typeof setArgumentsLength === 'function')
      this.#setArgumentsLength = setArgumentsLength as (count: number) => void;
  }

  waitingFor(fiber: Fiber): string | null {
    return this.#tasks.waitingFor(fiber);
  }

  ended(fiber: Fiber, failed: boolean, value: unknown): void {
    this.#tasks.ended(fiber, failed, value);
  }

  entry(name: string): EntryConversion | null {
    const guard = this.#collections;
    if (name === COLLECT && guard !== null) return guard.entry;
    const type = this.#exports.get(name);
    if (type === undefined) return null;
    const conversion = this.#allowances.entryOf(name, entryConversion(this.#shared, name, type));
    return guard === null ? conversion : guard.entryOf(conversion);
  }

  site(module: string, name: string): SiteConversion | null {
    // Ours takes numbers: where the stack of references is full, they are no addresses of strings.
    if (this.#abortsByDefault && module === 'env' && name === 'abort') return null;
    const type = this.#imports.get(keyOf(module, name));
    if (type === undefined) return null;
    const conversion = this.#allowances.siteOf(`${module}.${name}`, siteConversion(this.#shared, type));
    return this.#collections === null ? conversion : this.#collections.siteOf(conversion);
  }

  /** A global whose values are more than numbers becomes an object with the property `value`, as a global has it. */
  value(name: string, exported: unknown): unknown {
    const type = this.#globals.get(name);
    if (type === undefined || !(exported instanceof WebAssembly.Global)) return exported;
    const { lift, lower } = this.#allowances.globalOf(name, globalConversion(this.#shared, name, type.type));
    // As a call: getters of the value run, and may call the guest, which must not begin a fiber meanwhile.
    const write = (value: unknown): void => void this.#host?.callSync(() => (exported.value = lower(value)), []);
    const accessor = {
      valueOf: (): unknown => lift(exported.value),
      get value(): unknown {
        return lift(exported.value);
      },
      set value(value: unknown) {
        if (!type.mutable) throw new TypeError(`${name} is a constant of the guest`);
        write(value);
      },
    };
    return Object.freeze(accessor);
  }
}

const keyOf = (module: string, name: string): string => JSON.stringify([module, name]);

/** A member of what the embedder gave, which may be inherited (from a class), but not from every object. */
function member(from: unknown, name: string): unknown {
  if (from === null || (typeof from !== 'object' && typeof from !== 'function')) return undefined;
  if (name in Object.prototype && !Object.hasOwn(from, name)) return undefined;
  return (from as Readonly<Record<string, unknown>>)[name];
}
