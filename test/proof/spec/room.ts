/**
 * Where a guest waits, as its host sees it: decides whether it does, gives the runtime a window inside of the memory that the
 * tests look at, and changes what is there: the guest's own bytes while its code runs, the runtime's while a function is called that
 * may wait, and afterwards. No allocator gives such a place; but scripts that fill their memory would leave none that is safe.
 */
import { canSuspend, currentFiber } from '../../../host/index.ts';
import type { Guest } from '../../../host/index.ts';
import type { Random } from '../random.ts';
import { eventually } from '../waits.ts';
import { MEMORY } from './probes.ts';

const PAGE = 65_536;

/** Waits in one call of an export, at most: some loop a million times. */
const MOST_WAITS = 200;

export class Room {
  waits = 0;
  /** How likely a guest waits. */
  probability = 1;
  /** Not known before its start function has run. */
  guest: Guest | null = null;
  #waitsOfCall = 0;
  readonly #random: Random;
  #address = 0;
  #size = 0;
  #memory: WebAssembly.Memory | null = null;
  /** The guest's bytes, while those of the runtime are there. */
  #saved: Uint8Array | null = null;
  /** The runtime's, while those of the guest are. */
  #kept: Uint8Array | null = null;
  /** What was there when the export that was called has returned. */
  #left: Uint8Array | null = null;
  /** The same for one that traps, as far as is known. */
  #restored: Uint8Array | null = null;
  #isClosed = false;

  constructor(random: Random) {
    this.#random = random;
  }

  beginCall(probability: number): void {
    this.probability = probability;
    this.#waitsOfCall = 0;
    this.#restored = null;
  }

  /** @param answer what an import returns or, if the guest waits, what it waits for */
  perhaps<T>(answer: () => T): unknown {
    this.#giveBack();
    if (!this.#waitsNow()) return answer();
    this.#beginWait();
    return eventually(this.#random, answer);
  }

  /** The same for what is a promise in any case. @returns null if the guest cannot wait */
  promised<T>(begin: () => Promise<T>): Promise<T> | null {
    this.#giveBack();
    if (!this.#waitsNow(1)) return null;
    this.#beginWait();
    return begin();
  }

  /** The allocator of the guest: the same place each time. It is asked once, at the first wait. */
  allocate(size: number): number {
    this.#size = size;
    this.#address = 16 * (1 + this.#random.below(Math.max(1, (PAGE - size) / 16 - 2)));
    if (this.#memory !== null) this.#saved = this.#copy(this.#memory);
    return this.#address;
  }

  /** The guest's code goes on. */
  restore(): void {
    const saved = this.#saved;
    if (saved === null || this.#memory === null) return;
    this.#saved = null;
    this.#restored = saved;
    this.#kept = this.#copy(this.#memory);
    this.#write(saved);
  }

  /** The guest's code has ended. */
  leave(): void {
    if (this.#size === 0 || this.#memory === null) return;
    this.restore();
    this.#left = this.#copy(this.#memory);
    this.#giveBack();
  }

  /** The runtime has ended with the call, too. */
  endCall(): void {
    this.#saved = this.#left ?? this.#saved;
    this.#left = null;
    this.restore();
    // After a trap the runtime has tidied up among the guest's bytes.
    if (this.#restored !== null) this.#write(this.#restored);
  }

  /** There will be no guest. */
  close(): void {
    this.#isClosed = true;
  }

  #waitsNow(probability = this.probability): boolean {
    return (
      !this.#isClosed &&
      this.#waitsOfCall < MOST_WAITS &&
      canSuspend() &&
      this.#isCurrent() &&
      this.#random.chance(probability)
    );
  }

  /**
   * Is it a fiber of this guest that calls, and is there room in its memory? A guest whose functions are called by another one,
   * through a table that they share, has no fiber then.
   */
  #isCurrent(): boolean {
    const guest = currentFiber()?.guest;
    if (guest === undefined || (this.guest !== null && this.guest !== guest)) return false;
    // A module without a memory is given one.
    this.#memory = (guest.instance.exports[MEMORY] ?? null) as WebAssembly.Memory | null;
    return this.#memory === null || this.#memory.buffer.byteLength >= PAGE;
  }

  #beginWait(): void {
    this.waits += 1;
    this.#waitsOfCall += 1;
  }

  /** The runtime's code goes on. */
  #giveBack(): void {
    if (this.#size === 0 || this.#memory === null || this.#saved !== null) return;
    this.#saved = this.#copy(this.#memory);
    if (this.#kept !== null) this.#write(this.#kept);
  }

  #write(bytes: Uint8Array): void {
    if (this.#memory !== null) new Uint8Array(this.#memory.buffer).set(bytes, this.#address);
  }

  #copy({ buffer }: WebAssembly.Memory): Uint8Array {
    return new Uint8Array(buffer).slice(this.#address, this.#address + this.#size);
  }
}
