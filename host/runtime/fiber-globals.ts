/** Globals of which each fiber has its own value: thread-local storage, the state of a language's runtime. */
import type { ShadowStack, Task } from '../backends/backend.ts';

/** Saves and restores them together with the shadow stack. */
export class FiberGlobals implements ShadowStack {
  readonly #inner: ShadowStack;
  readonly #globals: readonly WebAssembly.Global[];
  readonly #initial: readonly unknown[];
  readonly #saved = new WeakMap<Task, readonly unknown[]>();

  constructor(inner: ShadowStack, globals: readonly WebAssembly.Global[]) {
    this.#inner = inner;
    this.#globals = globals;
    this.#initial = this.#read();
    // An immutable global, or one of a type that cannot be read, is found out now and not at the first fiber.
    this.#write(this.#initial);
  }

  start(task: Task): void {
    this.#inner.start(task);
    this.#write(this.#initial);
  }

  suspend(task: Task): void {
    this.#inner.suspend(task);
    this.#saved.set(task, this.#read());
    this.#write(this.#initial);
  }

  resume(task: Task): void {
    this.#inner.resume(task);
    this.#write(this.#saved.get(task) ?? this.#initial);
  }

  end(task: Task): void {
    this.#inner.end(task);
    this.#write(this.#initial);
  }

  clear(): void {
    this.#inner.clear();
  }

  save(): number {
    return this.#inner.save();
  }

  restore(pointer: number): void {
    this.#inner.restore(pointer);
  }

  enterSync(): void {
    this.#inner.enterSync();
  }

  #read(): unknown[] {
    return this.#globals.map((each): unknown => each.value);
  }

  #write(values: readonly unknown[]): void {
    this.#globals.forEach((each, i) => (each.value = values[i]));
  }
}
