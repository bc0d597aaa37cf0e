/**
 * Many fibers may share one AbortSignal. It gets one listener from us, however many they are (Node warns at eleven), and
 * loses it with the last of them.
 */
type Cancel = (reason: unknown) => void;

interface Entry {
  readonly cancels: Set<Cancel>;
  readonly listener: () => void;
}

const entries = new WeakMap<AbortSignal, Entry>();

/** Calls `cancel` when the signal is aborted. */
export function subscribe(signal: AbortSignal, cancel: Cancel): void {
  let entry = entries.get(signal);
  if (entry === undefined) {
    const cancels = new Set<Cancel>();
    const listener = (): void => {
      entries.delete(signal);
      for (const each of cancels) each(signal.reason);
    };
    entry = { cancels, listener };
    entries.set(signal, entry);
    signal.addEventListener('abort', listener, { once: true });
  }
  entry.cancels.add(cancel);
}

export function unsubscribe(signal: AbortSignal, cancel: Cancel): void {
  const entry = entries.get(signal);
  if (entry === undefined) return;
  entry.cancels.delete(cancel);
  if (entry.cancels.size > 0) return;
  entries.delete(signal);
  signal.removeEventListener('abort', entry.listener);
}
