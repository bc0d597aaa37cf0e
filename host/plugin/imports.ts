/**
 * The imports of one instance: exactly those that the module has, each from where it may come, and nothing else of the host
 * within reach. What is not there is told before the module is instantiated, with the capability that would give it.
 */
import { aborted } from '../assemblyscript/abort.ts';
import { consoleImport } from '../assemblyscript/defaults.ts';
import { TASKS_MODULE } from '../assemblyscript/provided.ts';
import { FiberError } from '../errors.ts';
import type { Imports, ImportValue } from '../index.ts';
import { enumerate } from '../instrument/lists.ts';
import { type ImportSignature, METER, SECTION } from '../runtime/metadata.ts';
import { WASI_MODULE } from '../wasi/abi.ts';
import { type Wasi, wasi } from '../wasi/index.ts';
import type { Grant } from './capabilities.ts';
import { fetchFunction } from './fetch.ts';
import { type Caller, type HostFunction, linkHostFunction, takesData } from './host-functions.ts';
import type { SettledLimits } from './limits.ts';
import type { PreparedModule } from './prepare.ts';
import { type Timers, timersOf } from './timers.ts';
import type { Traffic } from './traffic.ts';

/** Where the functions that the package itself gives are imported from. */
export const PLUGIN_MODULE = 'plugin';

export interface ImportContext {
  /** The plugin, for messages. */
  readonly subject: string;
  readonly prepared: PreparedModule;
  readonly grant: Grant;
  readonly limits: SettledLimits;
  readonly traffic: Traffic;
  readonly caller: () => Caller;
}

/** With what is made for this instance. */
interface OwnContext extends ImportContext {
  readonly timers: Timers;
}

export interface PluginImports {
  readonly imports: Imports;
  /** Null for a plugin that does not use WASI. */
  readonly wasi: Wasi | null;
}

/** Calls of WASI that tell the time, or that wait for it to pass. */
const OF_CLOCK: readonly string[] = ['clock_time_get', 'clock_res_get', 'poll_oneoff'];
const OF_RANDOM: readonly string[] = ['random_get'];

/** `EPERM` of another kind: a right that the program does not have. */
const NOT_CAPABLE = 76;

/** Missing imports that a message names. */
const SHOWN = 20;

/** Missing imports by what has to be done about them. */
interface Missing {
  readonly denied: string[];
  readonly unknown: string[];
}

/** @throws FiberError `CAPABILITY_DENIED`, `MISSING_IMPORTS`, `UNSUPPORTED_FEATURE` */
export function importsFor(context: ImportContext): PluginImports {
  const { subject, prepared, grant } = context;
  const wanted = WebAssembly.Module.imports(prepared.module);
  const program = wanted.some(({ module }) => module === WASI_MODULE) ? wasi(grant.wasi) : null;
  // Without a prototype: `__proto__` is a name like any other.
  const imports: Record<string, Record<string, ImportValue>> = Object.create(null);
  const missing: Missing = { denied: [], unknown: [] };
  const own = { ...context, timers: timersOf(() => milliseconds(context, 'performance.now')) };
  for (const { module, name, kind } of wanted) {
    // What the runtime gives; that only an instrumented module imports it has been seen to (refuse.ts).
    if (module === SECTION || module === METER || (module === TASKS_MODULE && prepared.typed)) continue;
    const path = `${module}.${name}`;
    const value = kind === 'function' ? find(own, program, module, name, missing) : null;
    if (value === null) {
      if (kind !== 'function') missing.unknown.push(`${path} (a ${kind}; a plugin has its own)`);
      continue;
    }
    (imports[module] ??= Object.create(null) as Record<string, ImportValue>)[name] = value;
  }
  if (missing.denied.length > 0) {
    throw new FiberError(
      'CAPABILITY_DENIED',
      `${subject} imports what it may not have: ${enumerate(missing.denied, SHOWN)}. Grant it, and ask for it in the manifest if there is one.`,
    );
  }
  if (missing.unknown.length > 0) {
    throw new FiberError(
      'MISSING_IMPORTS',
      `${subject} imports what there is not: ${enumerate(missing.unknown, SHOWN)}. Give it as hostFunctions: { module: { name: function } }.`,
    );
  }
  return { imports, wasi: program };
}

/** Null if it is missing, which is noted, or need not be given. */
function find(
  context: OwnContext,
  program: Wasi | null,
  module: string,
  name: string,
  missing: Missing,
): ImportValue | null {
  const { prepared, grant, limits } = context;
  const path = `${module}.${name}`;
  if (module === WASI_MODULE) return findWasi(context, program, name, missing);
  const given =
    module === PLUGIN_MODULE && name === 'fetch' && grant.fetch !== null
      ? fetchFunction(grant.fetch.patterns, grant.fetch.send, limits)
      : grant.hostFunction(module, name);
  if (given !== null) return link(context, path, given);
  if (grant.withheld.has(path)) missing.denied.push(`${path} (granted, but not asked for in the manifest)`);
  else if (module === PLUGIN_MODULE && name === 'fetch') missing.denied.push(`${path} (the capability fetch)`);
  else if (module === 'env') return findOfLanguage(context, name, missing);
  else missing.unknown.push(`${path}${signatureOf(prepared, module, name)}`);
  return null;
}

function link(context: ImportContext, name: string, fn: HostFunction): ImportValue {
  const { prepared, limits, traffic, caller } = context;
  if (!prepared.typed && takesData(fn)) {
    const signature = prepared.signatures.get(name);
    const type = signature === undefined ? '' : show(signature);
    if (!['', '(i32, i32) -> (i64)', '(i32, i32) -> ()'].includes(type)) {
      throw new FiberError(
        'MISSING_IMPORTS',
        `${context.subject} imports ${name} as ${type}; a function that takes text, bytes or JSON is imported as (i32, i32) -> (i64), or without a result.`,
      );
    }
  }
  return linkHostFunction(fn, { name, limits, traffic, caller, typed: prepared.typed }) as ImportValue;
}

function findWasi(context: ImportContext, program: Wasi | null, name: string, missing: Missing): ImportValue | null {
  const { grant } = context;
  const functions = program?.imports[WASI_MODULE] ?? {};
  if (!Object.hasOwn(functions, name)) {
    missing.unknown.push(`${WASI_MODULE}.${name}`);
    return null;
  }
  // Answered and not refused: libraries import these for what a program never does.
  const lacks =
    (OF_CLOCK.includes(name) && grant.clock === false) || (OF_RANDOM.includes(name) && grant.random === false);
  if (lacks) return () => NOT_CAPABLE;
  const fn = functions[name];
  return typeof fn === 'function' ? paced(context, `${WASI_MODULE}.${name}`, fn as HostFunction) : null;
}

/** A function of the package's own, called no more often than the limits say. */
function paced({ traffic }: ImportContext, name: string, fn: HostFunction): ImportValue {
  const call = fn as (...args: unknown[]) => unknown;
  const limited = (...args: unknown[]): unknown => {
    traffic.admitSystem(name);
    return call(...args);
  };
  return limited as ImportValue;
}

/** What AssemblyScript's own library imports: all of it is in the module `env`. */
function findOfLanguage(context: OwnContext, name: string, missing: Missing): ImportValue | null {
  const { prepared, grant, timers } = context;
  const needs = /^(?:seed|Math\.random)$/.test(name)
    ? 'random'
    : /^(?:Date|performance)\.now$/.test(name)
      ? 'clock'
      : /^(?:trace|console\.(?:assert|debug|error|info|log|time|timeEnd|timeLog|warn))$/.test(name)
        ? 'output'
        : null;
  if (needs !== null && grant[needs] === false) {
    missing.denied.push(`env.${name} (the capability ${needs})`);
    return null;
  }
  if (name === 'abort') return prepared.typed ? null : abort(context);
  const path = `env.${name}`;
  if (needs === 'random') return paced(context, path, () => randomNumber(context, name === 'seed' ? 2 ** 53 : 1));
  if (needs === 'clock') return paced(context, path, () => milliseconds(context, name));
  if (needs === 'output' && prepared.typed) {
    const print = isTimer(name) ? timers[name] : consoleImport(name);
    if (print !== null) return paced(context, path, print);
  }
  if (/^Math\.\w+$/.test(name) && Object.hasOwn(Math, name.slice(5))) {
    const member: unknown = Reflect.get(Math, name.slice(5));
    if (typeof member === 'function') return (...args: number[]) => Number(Reflect.apply(member, undefined, args));
  }
  missing.unknown.push(`env.${name}${signatureOf(prepared, 'env', name)}`);
  return null;
}

function isTimer(name: string): name is keyof Timers {
  return name === 'console.time' || name === 'console.timeEnd' || name === 'console.timeLog';
}

/** AssemblyScript's strings are UTF-16, with their length in bytes in front of them. */
function abort({ caller }: ImportContext): ImportValue {
  const text = (address: number): string => {
    const { buffer } = caller().memory;
    const start = address >>> 0;
    if (start < 4 || start > buffer.byteLength) return '';
    const length = new DataView(buffer).getUint32(start - 4, true);
    if (start + length > buffer.byteLength || length > 4096) return '';
    return new TextDecoder('utf-16le').decode(new Uint8Array(buffer, start, length).slice());
  };
  return (message: number, file: number, line: number, column: number): never => {
    throw aborted(text(message) || 'abort', text(file), line >>> 0, column >>> 0);
  };
}

function randomNumber({ grant }: ImportContext, scale: number): number {
  const bytes = new Uint8Array(8);
  if (typeof grant.random === 'function') grant.random(bytes);
  else crypto.getRandomValues(bytes);
  const bits = new DataView(bytes.buffer).getBigUint64(0) >> 11n;
  return (Number(bits) / 2 ** 53) * scale;
}

function milliseconds({ grant }: ImportContext, name: string): number {
  if (typeof grant.clock === 'object') {
    return Number(name === 'Date.now' ? grant.clock.realtime() : grant.clock.monotonic()) / 1e6;
  }
  return name === 'Date.now' ? Date.now() : performance.now();
}

function signatureOf({ signatures }: PreparedModule, module: string, name: string): string {
  const found = signatures.get(`${module}.${name}`);
  return found === undefined ? '' : ` ${show(found)}`;
}

const show = ({ params, results }: ImportSignature): string => `(${params.join(', ')}) -> (${results.join(', ')})`;
