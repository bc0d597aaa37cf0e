/**
 * Instances of the modules of a script, as they are or instrumented and driven by the runtime. What scripts do with them is the
 * same for both: call and read their exports, and hand them to other modules as imports.
 */
import { instantiate } from '../../../host/index.ts';
import type { Guest, Imports } from '../../../host/index.ts';
import type { InstrumentResult } from '../../../host/instrument/index.ts';
import { readOutline } from '../../../host/instrument/binary/module.ts';
import type { FunctionType } from '../../../host/instrument/binary/types.ts';
import type { Random } from '../random.ts';
import { BITS, PROOF } from './probes.ts';
import { Room } from './room.ts';
import { fromBits, fromGlobal, toBits } from './values.ts';
import type { Value } from './values.ts';

type AnyFunction = (...args: unknown[]) => unknown;

export interface Instance {
  /** Of the engine. */
  readonly exports: WebAssembly.Exports;
  /** How another guest may wait for a function of this one; null if it cannot. */
  promised(name: string): AnyFunction | null;
  room: Room | null;
  /** @throws what the call throws */
  call(name: string, args: readonly Value[], probability: number): Promise<Value[]>;
  /** @returns null if JavaScript cannot see it */
  get(name: string): Value | null;
}

export type Registry = ReadonlyMap<string, Pick<Instance, 'exports' | 'promised' | 'room'>>;

/** A module that has been prepared: as it is to run, and what a call needs to know of it. */
export interface Prepared {
  readonly wasm: Uint8Array<ArrayBuffer>;
  /** Of the functions and of the globals that it exports. */
  readonly types: ReadonlyMap<string, FunctionType>;
  readonly globals: ReadonlyMap<string, string>;
  readonly imports: readonly { readonly module: string; readonly name: string; readonly kind: string }[];
  /** Does it share nothing with others but functions and globals? */
  readonly keepsToItself: boolean;
}

export function describeModule(wasm: Uint8Array<ArrayBuffer>): Prepared {
  const outline = readOutline(wasm);
  const { exports, imports, functionTypes } = outline;
  const types = new Map<string, FunctionType>();
  const globals = new Map<string, string>();
  for (const { name, kind, index } of exports) {
    const type = kind === 'function' ? outline.types[functionTypes[index] ?? -1] : null;
    if (type) types.set(name, type);
    if (kind === 'global') globals.set(name, outline.globals[index]?.type ?? '');
  }
  const shares = ({ kind }: { readonly kind: string }): boolean => kind === 'table' || kind === 'memory';
  const own = exports.filter(({ name }) => !name.startsWith(`${PROOF}.`));
  return { wasm, types, globals, imports, keepsToItself: !imports.some(shares) && !own.some(shares) };
}

/** The module as it is. */
export function plainInstance(module: Prepared, registry: Registry): Instance {
  const imports = importsOf(module, registry, (from, name) => from.exports[name], PLAIN);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.wasm), imports as WebAssembly.Imports);
  return {
    exports,
    room: null,
    promised: () => null,
    get: (name) => readGlobal(module, exports, name),
    async call(name, args) {
      return callThrough(module, exports as Record<string, AnyFunction>, name, args, (result) => result);
    },
  };
}

/** Host functions for a module that never waits. */
const PLAIN: Record<string, AnyFunction> = { pause() {}, restore() {}, leave() {}, room: () => 0 };

export async function fiberInstance(
  module: Prepared,
  { wasm, metadata }: InstrumentResult,
  registry: Registry,
  random: Random,
  windowSize: number,
): Promise<Instance> {
  const room = new Room(random);
  const own: Record<string, AnyFunction> = {
    pause: () => room.perhaps(() => undefined),
    restore: () => room.restore(),
    leave: () => room.leave(),
    room: (size) => room.allocate(Number(size)),
  };
  const imports = importsOf(
    module,
    registry,
    (from, name) => (typeof from.exports[name] === 'function' ? linked(room, module, from, name) : from.exports[name]),
    own,
  );
  const options = { backend: metadata.target, windowSize } as const;
  let guest: Guest;
  try {
    guest = await instantiate(wasm as Uint8Array<ArrayBuffer>, imports, options);
  } catch (error) {
    // What it has put into tables of others stays there, and is no guest's.
    room.close();
    throw error;
  } finally {
    room.restore();
  }
  room.guest = guest;
  const { exports } = guest.instance;
  return {
    exports,
    room,
    promised: (name) => (module.imports.every(isOfHost) ? (guest.exports[name] ?? null) : null),
    get: (name) => readGlobal(module, exports, name),
    async call(name, args, probability) {
      room.beginCall(probability);
      try {
        return await callThrough(module, guest.exports, name, args, async (result) => await result);
      } finally {
        room.endCall();
      }
    },
  };
}

const isOfHost = ({ module }: { readonly module: string }): boolean => module === 'spectest' || module === PROOF;

/** A function of another guest, which this one waits for if it can, and calls as it is otherwise. */
function linked(
  room: Room,
  module: Prepared,
  from: Pick<Instance, 'exports' | 'promised' | 'room'>,
  name: string,
): AnyFunction {
  const raw = from.exports[name] as AnyFunction;
  // The engine's own must be what it checks the type of, and what tables hold.
  if (!module.keepsToItself) return raw;
  const promised = from.promised(name);
  return (...args) => {
    if (from.room === null) return room.perhaps(() => raw(...args));
    const waiting = promised === null ? null : room.promised(async () => await promised(...args));
    return waiting ?? raw(...args);
  };
}

function importsOf(
  { imports }: Prepared,
  registry: Registry,
  link: (from: Pick<Instance, 'exports' | 'promised' | 'room'>, name: string) => unknown,
  own: Record<string, AnyFunction>,
): Imports {
  const made: Imports = Object.create(null) as Imports;
  for (const { module, name } of imports) {
    const from = registry.get(module);
    const value = module === PROOF ? own[name] : from === undefined ? undefined : link(from, name);
    if (value !== undefined)
      (made[module] ??= Object.create(null) as Imports[string])[name] = value as Imports[string][string];
  }
  return made;
}

function readGlobal({ globals }: Prepared, exports: WebAssembly.Exports, name: string): Value | null {
  const type = globals.get(name);
  if (type === undefined) throw new TypeError(`There is no global ${name}`);
  return type === 'v128' ? null : fromGlobal(type, (exports[name] as WebAssembly.Global).value);
}

async function callThrough(
  module: Prepared,
  functions: Readonly<Record<string, AnyFunction | undefined>>,
  name: string,
  args: readonly Value[],
  settle: (result: unknown) => unknown,
): Promise<Value[]> {
  const type = module.types.get(name);
  if (type === undefined) throw new TypeError(`There is no function ${name}`);
  const inBits = module.types.has(`${BITS}${name}`) ? `${BITS}${name}` : name;
  const result = await settle(functions[inBits]?.(...toBits(args)));
  return fromBits(type.results, result, module.types.get(inBits)?.results.length ?? 0);
}
