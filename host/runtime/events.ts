/** Telling the embedder what happens to fibers. */
import type { FiberEvent } from './api.ts';

/** Calls a listener of the embedder. What it throws is reported as uncaught and has no part in what goes on here. */
export function tell(listener: (event: FiberEvent) => void, event: FiberEvent): void {
  try {
    listener(event);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
