// What the guest imports. `http_get` is an ordinary async function: that is all there is to waiting.
import { type Fiber, type Guest, type Imports, currentFiber } from 'wasm-fibers';

/** AssemblyScript keeps a string's length in bytes in the word before it. */
function readString(memory: WebAssembly.Memory, pointer: number): string {
  const bytes = new DataView(memory.buffer).getUint32(pointer - 4, true);
  return new TextDecoder('utf-16le').decode(new Uint8Array(memory.buffer, pointer, bytes));
}

function writeString(memory: WebAssembly.Memory, pointer: number, text: string): void {
  const units = new Uint16Array(memory.buffer, pointer, text.length);
  for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i);
}

/**
 * @param guest the guest that will import them
 * @param report told of a job's result
 */
export function makeImports(server: string, guest: () => Guest, report: (job: number, text: string) => void): Imports {
  /** What each fiber has waited for and not yet taken. */
  const bodies = new WeakMap<Fiber, string>();
  const fiber = (): Fiber => {
    const current = currentFiber();
    if (current === null) throw new Error('called from outside of a fiber');
    return current;
  };
  return {
    env: {
      async http_get(path: number): Promise<number> {
        // Both before the first `await`: afterwards other fibers run, and the guest's memory may have moved.
        const caller = fiber();
        const url = new URL(readString(guest().memory, path), server);
        const response = await fetch(url, { signal: caller.signal });
        if (!response.ok) throw new Error(`${response.status} for ${url.pathname}`);
        const body = await response.text();
        bodies.set(caller, body);
        return body.length;
      },
      http_body(to: number): void {
        writeString(guest().memory, to, bodies.get(fiber()) ?? '');
      },
      report: (job: number, text: number) => report(job, readString(guest().memory, text)),
      abort(message: number, file: number, line: number, column: number): never {
        const { memory } = guest();
        throw new Error(`${readString(memory, message)} (${readString(memory, file)}:${line}:${column})`);
      },
    },
  };
}
