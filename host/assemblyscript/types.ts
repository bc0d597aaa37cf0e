/**
 * The custom section `wasm-fibers.types`: the AssemblyScript types of a module's exports and imports, which
 * WebAssembly's own types do not tell. The transform writes it as UTF-8 JSON, the host reads it before instantiation and
 * makes its converters from it. A module is hostile input: every value is checked here, once (parse.ts).
 *
 * Types are listed once and named by their position, so that they may be recursive.
 */

export const TYPES_SECTION = 'wasm-fibers.types';
export const TYPES_VERSION = 1;

export const NUMBERS = ['i8', 'i16', 'i32', 'u8', 'u16', 'u32', 'i64', 'u64', 'f32', 'f64', 'bool'] as const;
export type NumberKind = (typeof NUMBERS)[number];

/** Names of the JavaScript constructors. */
export const TYPED_ARRAYS = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'BigInt64Array',
  'BigUint64Array',
  'Float32Array',
  'Float64Array',
] as const;
export type TypedArrayKind = (typeof TYPED_ARRAYS)[number];

/** Position of a type in the list. */
export type TypeIndex = number;

/** `id` is the runtime's class id (`idof<T>()`), `nullable` says whether `null` is one of its values. */
export type ValueType =
  | { readonly kind: NumberKind }
  | { readonly kind: 'externref' }
  | { readonly kind: 'string' | 'buffer'; readonly id: number; readonly nullable: boolean }
  | { readonly kind: 'typedarray'; readonly array: TypedArrayKind; readonly id: number; readonly nullable: boolean }
  | {
      readonly kind: 'array' | 'staticarray';
      readonly element: TypeIndex;
      readonly id: number;
      readonly nullable: boolean;
    }
  | {
      /** A plain class: an object with these fields on the other side. */
      readonly kind: 'record';
      readonly name: string;
      readonly id: number;
      /** Bytes. */
      readonly size: number;
      readonly fields: readonly Field[];
      readonly nullable: boolean;
    }
  /** An instance of any other class: a handle on the other side, and nothing else. */
  | {
      readonly kind: 'reference';
      readonly name: string;
      readonly id: number;
      readonly nullable: boolean;
      /** Ids of the classes that extend it, or implement it, directly or not. */
      readonly subclasses: readonly number[];
    }
  /**
   * `Result<T>` of the guest library (assembly/result.ts), as the result of an import: what the host function returned,
   * or what it failed with. Fields: `ok` (bool), `value` (absent for `Result<void>`), `failure` (a record with `code` and
   * `message`, strings, or null).
   */
  | {
      readonly kind: 'result';
      readonly name: string;
      readonly id: number;
      readonly size: number;
      readonly fields: readonly Field[];
    };

export interface Field {
  readonly name: string;
  readonly type: TypeIndex;
  /** Bytes from the start of the object. */
  readonly offset: number;
}

export interface Parameter {
  readonly name: string;
  readonly type: TypeIndex;
  readonly optional: boolean;
}

export interface FunctionType {
  readonly params: readonly Parameter[];
  /** Null for `void`. */
  readonly result: TypeIndex | null;
}

export interface ImportType extends FunctionType {
  readonly module: string;
  readonly name: string;
  readonly suspending: boolean;
}

export interface GlobalType {
  readonly name: string;
  readonly type: TypeIndex;
  readonly mutable: boolean;
}

export interface TypeSection {
  readonly version: number;
  /** The export that runs the module's top-level code, if the compiler made it one (`--exportStart`). */
  readonly start?: string;
  readonly runtime: 'incremental' | 'minimal' | 'stub';
  readonly types: readonly ValueType[];
  readonly exports: readonly (FunctionType & { readonly name: string })[];
  readonly imports: readonly ImportType[];
  /** Exported globals. */
  readonly globals: readonly GlobalType[];
}
