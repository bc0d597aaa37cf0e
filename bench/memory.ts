/** The memory of suspended fibers: every way of waiting in a process of its own. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const WORKER = fileURLToPath(new URL('memory-worker.js', import.meta.url));

/** Bytes each. */
export const MEMORY_TARGET = 1280;

export interface MemoryUse {
  /** V8's heap and what it holds outside, after a collection; bytes for each. */
  readonly heap: number;
  /** The resident set of the process; bytes for each. */
  readonly resident: number;
}

export type MemoryDriver = 'wasm-fibers' | 'wasm-fibers-jspi' | 'jspi' | 'await';

/** @returns the code of the error if the driver refuses to hold so many */
export function measureMemory(
  node: string,
  driver: MemoryDriver,
  count: number,
  depth: number,
): Promise<MemoryUse | string> {
  return new Promise((resolve, reject) => {
    const execArgv = ['--expose-gc', '--max-old-space-size=8192'];
    const child = fork(WORKER, [driver, String(count), String(depth)], { execPath: node, execArgv });
    child.once('message', (message) => resolve(message as MemoryUse | string));
    child.once('exit', (code, signal) => {
      if (code !== 0) reject(new Error(`${driver} with ${count} calls ended with ${String(code ?? signal)}`));
    });
  });
}
