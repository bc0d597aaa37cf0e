/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Opaque references: what the host holds of an object whose class it cannot look into. The guest keeps the object alive as
 * long as the handle is: until it is disposed of, or collected.
 *
 * Invariants:
 * - A live handle has one hold in the guest, which ends exactly once: by `Symbol.dispose` or by the registry.
 * - One object has one live handle at a time, so that handles compare as their objects do. Objects do not move, and an
 *   address cannot be another object's while this one is held.
 */
import type { Codec } from './codec.ts';
import type { GuestMemory } from './memory.ts';
import { Mismatch } from './mismatch.ts';
import { corrupt, objectCodec, orNull } from './text.ts';
import type { ValueType } from './types.ts';

type ReferenceType = Extract<ValueType, { kind: 'reference' }>;

interface Held {
  readonly references: References;
  readonly address: number;
  readonly handle: number;
  /** The object's own class. */
  readonly id: number;
}

/**
 * Bytes that a reference counts for, beside the header of its object: about what the host keeps for a handle, a weak reference, its
 * place in the registry and the hold in the guest, and in proportion to the microseconds that these take.
 */
const COUNTED = 180;

/** What the next handle is to stand for: how the constructor knows its friends. */
let making: Held | null = null;
/** What a handle stands for; null if it was disposed of. Set by the class, since nobody else can read its fields. */
let held: (reference: Reference) => Held | null;

/**
 * An object of a guest, opaque to the host: it can be passed back to that guest, and compared.
 *
 * The guest keeps it until `[Symbol.dispose]()`, or until nothing of the host refers to the handle any more. Passing a
 * handle after it was disposed of, to another guest, or as another class is a `TypeError`.
 *
 * @example
 * using counter = await guest.exports.makeCounter();
 * await guest.exports.increment(counter);
 */
export class Reference<Name extends string = string> {
  /** As the guest's source has it: `Map<string,i32>`. */
  readonly className: Name;
  #held: Held | null;

  static {
    held = (reference) => reference.#held;
    // What Node prints.
    Reflect.set(this.prototype, Symbol.for('nodejs.util.inspect.custom'), function (this: Reference) {
      return this.toString();
    });
  }

  /** Handles are made by guests only. */
  constructor(className: Name) {
    if (making === null) throw new TypeError('A Reference cannot be constructed: guests make them.');
    this.#held = making;
    this.className = className;
    making = null;
    Object.freeze(this);
  }

  /** `Reference(Map<string,i32>)` */
  toString(): string {
    return `Reference(${this.className})${this.#held === null ? ' (disposed)' : ''}`;
  }

  /** Lets the guest free the object, if it does not use it itself. A second time does nothing. */
  [Symbol.dispose](): void {
    const held = this.#held;
    this.#held = null;
    if (held !== null) held.references.drop(held, this);
  }
}

/** The handles of one guest. */
export class References {
  readonly #memory: GuestMemory;
  readonly #live = new Map<number, { readonly held: Held; readonly reference: WeakRef<Reference> }>();
  readonly #registry: FinalizationRegistry<Held>;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
    this.#registry = new FinalizationRegistry((lost) => this.#release(lost));
  }

  /** How many objects the guest keeps for the host. */
  get size(): number {
    return this.#live.size;
  }

  /** The handle of the object at an address, which something of the guest holds. */
  of(address: number, name: string): Reference {
    const memory = this.#memory;
    if (address < 8 || (address & 3) !== 0 || !memory.holds(address, 0)) throw corrupt(address);
    const live = this.#live.get(address);
    const known = live?.reference.deref();
    if (known !== undefined) return known;
    const id = memory.u32[(address - 8) >>> 2] as number; // In memory, as was checked above.
    const handle = memory.hold(address);
    const made: Held = { references: this, address, handle, id };
    making = made;
    const reference = new Reference(name);
    this.#registry.register(reference, made, reference);
    this.#live.set(address, { held: made, reference: new WeakRef(reference) });
    return reference;
  }

  /** The handle was disposed of. */
  drop(held: Held, reference: Reference): void {
    this.#registry.unregister(reference);
    this.#release(held);
  }

  #release(lost: Held): void {
    // A newer handle of the same object may have taken the place of one that was collected.
    if (this.#live.get(lost.address)?.held === lost) this.#live.delete(lost.address);
    try {
      this.#memory.release(lost.handle);
    } catch (error) {
      // A guest whose heap is damaged: there is nobody here to tell, and nothing left to free.
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    }
  }
}

export function referenceCodec(
  memory: GuestMemory,
  references: References,
  { name, id, nullable, subclasses }: ReferenceType,
): Codec {
  const ids = new Set([id, ...subclasses]);
  const expected = orNull(`a Reference(${name}) of this guest`, nullable);
  const make = (value: unknown, slot: number): number => {
    const found = value instanceof Reference ? held(value) : null;
    if (found === null || found.references !== references || !ids.has(found.id)) {
      throw value instanceof Reference
        ? new Mismatch(expected, value, describe(value, found, references))
        : new Mismatch(expected, value);
    }
    if (slot !== 0) {
      memory.refresh();
      memory.u32[slot >>> 2] = found.address;
    }
    return found.address;
  };
  const read = (address: number): Reference => {
    // Also for an object that has a handle already: whether it has depends on the host's collector.
    memory.output.spend(COUNTED);
    return references.of(address, name);
  };
  return objectCodec(memory, { expected, nullable, deep: false, holds: true }, read, make);
}

function describe(value: Reference, found: Held | null, mine: References): string {
  return `${value}${found === null || found.references === mine ? '' : ' of another guest'}`;
}
