/**
 * The custom section `wasm-fibers`: how an instrumented module says what it is. The instrumenter writes it as UTF-8
 * JSON, the host reads it before instantiation. A module is hostile input: every value is checked here, once, and the
 * rest of the host trusts the result. A lie that passes these checks harms only the guest that tells it.
 */
import { FiberError } from '../errors.ts';

/** Name of the custom section, and of the module that instrumented guests import their switching hooks from. */
export const SECTION = 'wasm-fibers';
export const FORMAT_VERSION = 3;

/** Name of the module that metered guests import their budget from (host/instrument/metering/meter.ts). */
export const METER: string = `${SECTION}:meter`;
/** Name of the module that AssemblyScript's guest library imports from: the only one of ours that a compiler writes. */
export const TASKS = 'wasm-fibers:tasks';
/** The budget of a metered guest, as it exports it. */
export const BUDGET: string = `${SECTION}.budget`;

/** Is this import (`module.name`) one that the guest library of a language has, whose waits are none of the embedder's? */
export function isOfLibrary(path: string): boolean {
  return path.startsWith(`${SECTION}:`);
}

/** A longer section is refused unread: 16 MiB hold a hundred thousand imports. */
const MAX_SECTION_BYTES = 1 << 24;

/** What a module was instrumented for: `asyncify` runs everywhere, `jspi` on engines that switch stacks themselves. */
export type Target = 'asyncify' | 'jspi';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128' | 'funcref' | 'externref';

export interface ImportSignature {
  readonly module: string;
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  /** May this import return a promise? */
  readonly suspending: boolean;
}

export interface Metadata {
  readonly version: number;
  readonly target: Target;
  /** SHA-256 of the module before instrumentation, in hexadecimal. */
  readonly source: string;
  /** Every function import of the source module, in its order. */
  readonly imports: readonly ImportSignature[];
  /** Bytes that the largest frame takes in the window; 0 for `jspi`. */
  readonly largestFrame: number;
  /** The guest's shadow stack; `low` is the lowest address that it may reach, as far as the instrumenter could tell. */
  readonly stack: null | { readonly kind: 'llvm'; readonly low: number } | { readonly kind: 'assemblyscript' };
  /** Where memory for shadow stacks comes from: exports of the guest, or `memory.grow` by the host. */
  readonly allocator:
    | null
    | { readonly kind: 'exports'; readonly alloc: string; readonly free: string }
    | { readonly kind: 'grow' };
  /** The start function has become the export `wasm-fibers.start`. */
  readonly start: boolean;
  /** The guest counts the catch bodies that it is in. */
  readonly catchDepth: boolean;
  /** Exported mutable globals of which each fiber has its own value. */
  readonly globals: readonly string[];
  /** Does the guest pay for its work? */
  readonly metered: boolean;
  /** How the module was instrumented; for people. */
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Reads the section of a module.
 *
 * @returns the metadata, or `null` if the module was not instrumented
 * @throws FiberError `BAD_METADATA` if the section is malformed or of a version that this package does not know
 */
export function readMetadata(module: WebAssembly.Module): Metadata | null {
  const [section] = WebAssembly.Module.customSections(module, SECTION);
  return section === undefined ? null : parseMetadata(new Uint8Array(section));
}

/** The same for the bytes of the section. */
export function parseMetadata(bytes: Uint8Array): Metadata {
  const value = parseObject(bytes, badMetadata);
  if (value['version'] !== FORMAT_VERSION) {
    throw badMetadata(`its format version is ${String(value['version'])}, this package reads ${FORMAT_VERSION}`);
  }
  if (!isMetadata(value)) throw badMetadata('a field is missing or of the wrong type');
  // Every field was checked above; the compiler cannot follow a table of guards.
  return value as unknown as Metadata;
}

/** The JSON object that a section is; `bad` makes the error that says why it is none. */
export function parseObject(
  bytes: Uint8Array,
  bad: (reason: string, cause?: unknown) => FiberError,
): Record<string, unknown> {
  let value: unknown;
  try {
    if (bytes.length > MAX_SECTION_BYTES) throw new Error('too long');
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw bad('it is not UTF-8 JSON', cause);
  }
  if (!isRecord(value)) throw bad('it is not an object');
  return value;
}

export function badMetadata(reason: string, cause?: unknown): FiberError {
  return new FiberError(
    'BAD_METADATA',
    `The custom section "${SECTION}" cannot be used: ${reason}. Instrument the original module again, with this version of wasm-fibers, and last: after wasm-opt and other tools.`,
    { cause },
  );
}

type Guard = (value: unknown) => boolean;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isString: Guard = (value) => typeof value === 'string';
const isBoolean: Guard = (value) => typeof value === 'boolean';
const isUint32: Guard = (value) => (value as number) >>> 0 === value;
const one =
  (...values: readonly unknown[]): Guard =>
  (value) =>
    values.includes(value);
const either =
  (...guards: readonly Guard[]): Guard =>
  (value) =>
    guards.some((is) => is(value));
const list =
  (of: Guard): Guard =>
  (value) =>
    Array.isArray(value) && value.every(of);
const record =
  (fields: Readonly<Record<string, Guard>>): Guard =>
  (value) =>
    isRecord(value) && Object.entries(fields).every(([name, is]) => is(value[name]));

const isMetadata = record({
  target: one('asyncify', 'jspi'),
  source: isString,
  imports: list(
    record({
      module: isString,
      name: isString,
      params: list(isString),
      results: list(isString),
      suspending: isBoolean,
    }),
  ),
  largestFrame: isUint32,
  stack: either(one(null), record({ kind: one('assemblyscript') }), record({ kind: one('llvm'), low: isUint32 })),
  allocator: either(
    one(null),
    record({ kind: one('grow') }),
    record({ kind: one('exports'), alloc: isString, free: isString }),
  ),
  start: isBoolean,
  catchDepth: isBoolean,
  globals: list(isString),
  metered: isBoolean,
  options: isRecord,
});
