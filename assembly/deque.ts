/** A queue that grows and never shrinks: a ring of slots. */

/** @internal */
export class Deque<T> {
  private slots: StaticArray<T> = new StaticArray<T>(8);
  private start: i32 = 0;
  length: i32 = 0;

  push(value: T): void {
    if (this.length == this.slots.length) this.grow();
    unchecked((this.slots[(this.start + this.length++) & (this.slots.length - 1)] = value));
  }

  /** Puts one in front of all others. */
  unshift(value: T): void {
    if (this.length == this.slots.length) this.grow();
    this.start = (this.start - 1) & (this.slots.length - 1);
    this.length++;
    unchecked((this.slots[this.start] = value));
  }

  /** Takes the first. There must be one. */
  shift(): T {
    const at = this.start;
    const value = unchecked(this.slots[at]);
    // An empty slot must not keep what was in it alive.
    if (isManaged<T>()) unchecked((this.slots[at] = changetype<T>(0)));
    this.start = (at + 1) & (this.slots.length - 1);
    this.length--;
    return value;
  }

  private grow(): void {
    const from = this.slots;
    const to = new StaticArray<T>(from.length << 1);
    for (let i = 0; i < this.length; i++) {
      unchecked((to[i] = from[(this.start + i) & (from.length - 1)]));
    }
    this.slots = to;
    this.start = 0;
  }
}
