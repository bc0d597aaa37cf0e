/**
 * Makes a gate, which opens once: what it is opened with runs a microtask later, in the async context in which the gate was
 * made.
 */
export function gate(): (run: () => void) => void {
  let open!: (run: () => void) => void; // Assigned by the promise's executor, at once.
  void new Promise<() => void>((resolve) => (open = resolve)).then((run) => run());
  return open;
}
