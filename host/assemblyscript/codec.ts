/**
 * What every converter can do. One is made for each type of a module when it is instantiated; nothing looks at a type
 * again while values pass.
 *
 * All have the same shape and no methods of classes, so that an engine finds the functions of any of them at one place.
 */

/** What WebAssembly passes for a value: for a managed object its address, signed. */
export type Raw = number | bigint;

export interface Codec {
  /** Lifts what the guest passed. */
  readonly lift: (raw: Raw) => unknown;
  /** Lifts an element or field at an address in the guest's memory. */
  readonly load: (address: number) => unknown;
  /**
   * Checks a value and lowers it. A managed object is put at the address `slot` before anything else is allocated, if that
   * is not 0: a slot of the shadow stack, or a place in an object that is reachable from one.
   *
   * @throws Mismatch, and what getters of the value throw
   */
  readonly lower: (value: unknown, slot: number) => Raw;
  /** The same for an element or field: the value, or its address, is written to `address`. */
  readonly store: (address: number, value: unknown) => void;
  /** Bytes that an element or field takes. */
  readonly bytes: 1 | 2 | 4 | 8;
  /** Is a value an object that the guest's collector manages? */
  readonly managed: boolean;
  /** May lowering run anything between the allocation of the object and its end: another one, or the embedder's getters? */
  readonly deep: boolean;
  /** May lifting allocate in the guest? Then the object must be in a slot. */
  readonly holds: boolean;
  /** A value that is never looked at: what stands for an optional parameter that was left out. */
  readonly zero: Raw;
}
