/** Globals of which each fiber has its own value: thread-local storage, the state of a language's runtime. */
import type { ShadowStack, Task } from '../backends/backend.ts';

/** Saves and restores them together with the shadow stack. */
export function withGlobals(stack: ShadowStack, globals: readonly WebAssembly.Global[]): ShadowStack {
  const saved = new WeakMap<Task, readonly unknown[]>();
  const read = (): readonly unknown[] => globals.map((each): unknown => each.value);
  const write = (values: readonly unknown[]): void => globals.forEach((each, i) => (each.value = values[i]));
  const initial = read();
  // An immutable global, or one of a type that cannot be read, is found out now and not at the first fiber.
  write(initial);
  return {
    ...stack,
    start(task) {
      stack.start(task);
      write(initial);
    },
    suspend(task) {
      stack.suspend(task);
      saved.set(task, read());
      write(initial);
    },
    resume(task) {
      stack.resume(task);
      write(saved.get(task) ?? initial);
    },
    end(task) {
      stack.end(task);
      write(initial);
    },
  };
}
