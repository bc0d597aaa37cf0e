/** The memory of suspended fibers: both ways of waiting, in a process each. */
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

export function measureMemory(node: string, driver: 'wasm-fibers' | 'await', count: number): Promise<MemoryUse> {
  return new Promise((resolve, reject) => {
    const execArgv = ['--expose-gc', '--max-old-space-size=8192'];
    const child = fork(WORKER, [driver, String(count)], { execPath: node, execArgv });
    child.once('message', (message) => resolve(message as MemoryUse));
    child.once('exit', (code) => {
      if (code !== 0) reject(new Error(`${driver} with ${count} calls ended with code ${String(code)}`));
    });
  });
}
