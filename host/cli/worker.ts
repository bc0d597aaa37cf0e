/**
 * Runs `instrument` on a thread of its own: Binaryen works for seconds without a pause, in which the main thread shows
 * progress, and it recurses deeper into large functions than the main thread's stack allows.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { FiberError, instrument } from '../instrument/index.ts';
import type { FiberErrorCode, InstrumentOptions, InstrumentResult, Phase } from '../instrument/index.ts';

export interface Job {
  readonly wasm: Uint8Array;
  readonly options: Omit<InstrumentOptions, 'onProgress' | 'binaryen'>;
}

export type Message =
  | { readonly kind: 'phase'; readonly phase: Phase }
  | { readonly kind: 'result'; readonly result: InstrumentResult }
  /** An error that explains itself, as against a bug, which ends the thread. */
  | { readonly kind: 'refused'; readonly code: FiberErrorCode; readonly message: string };

function post(message: Message): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port between threads has no origin
  parentPort?.postMessage(message);
}
const { wasm, options } = workerData as Job;

try {
  const result = await instrument(wasm, { ...options, onProgress: (phase) => post({ kind: 'phase', phase }) });
  post({ kind: 'result', result });
} catch (error) {
  if (!(error instanceof FiberError)) throw error;
  post({ kind: 'refused', code: error.code, message: error.message });
}
