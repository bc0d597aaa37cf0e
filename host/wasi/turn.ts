/** A turn of the event loop: timers that are due, input that has come and other fibers get theirs before it resolves. */

export function eventLoopTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { setImmediate } = globalThis as { readonly setImmediate?: (task: () => void) => unknown };
    if (setImmediate !== undefined) {
      setImmediate(resolve);
      return;
    }
    // A timer would be held back by browsers for 4 ms or, in a hidden page, a second.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
