/**
 * From whatever the embedder has to the bytes of a module: never more of them than the limit, also where the other side sends
 * without end, and with their SHA-256, by which modules are known.
 */
import { FiberError } from '../errors.ts';
import { limitReached } from './limits.ts';

/** What a plugin's module may be given as. A compiled module is none: it does not give its bytes. */
export type ModuleSource = URL | BufferSource | Response;

export interface ModuleBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where from, for messages. */
  readonly from: string;
  /** Hexadecimal. */
  readonly sha256: string;
}

interface NodeProcess {
  getBuiltinModule?(name: 'node:fs'): { promises: NodeFiles };
}

interface NodeFiles {
  stat(path: URL): Promise<{ readonly size: number }>;
  readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * @param most bytes
 * @throws FiberError `LIMIT_REACHED` moduleBytes; `BAD_MODULE` if it cannot be read; `INVALID_OPTION` if it is nothing of the kind
 */
export async function readModule(
  source: ModuleSource | PromiseLike<ModuleSource>,
  most: number,
  signal: AbortSignal,
): Promise<ModuleBytes> {
  const { bytes, from } = await read(await source, most, signal);
  return { bytes, from, sha256: await sha256(bytes) };
}

async function read(
  source: ModuleSource,
  most: number,
  signal: AbortSignal,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; from: string }> {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    const view = ArrayBuffer.isView(source)
      ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
      : new Uint8Array(source);
    if (view.length > most) throw tooLong('The module', most);
    // A copy: what is checked is what runs, whatever is done to the original meanwhile.
    return { bytes: new Uint8Array(view), from: 'The module' };
  }
  let from = source instanceof URL ? source.href : 'The response';
  try {
    if (source instanceof URL) {
      const files =
        source.protocol === 'file:'
          ? (globalThis as { process?: NodeProcess }).process?.getBuiltinModule?.('node:fs').promises
          : undefined;
      if (files !== undefined) {
        if ((await files.stat(source)).size > most) throw tooLong(from, most);
        const bytes = await files.readFile(source);
        if (bytes.length > most) throw tooLong(from, most);
        return { bytes: new Uint8Array(bytes), from };
      }
    }
    const response = source instanceof URL ? await fetch(source, { signal }) : source;
    if (typeof Response === 'function' && response instanceof Response) {
      from = response.url || from;
      if (!response.ok) throw new Error(`HTTP status ${response.status}`);
      const bytes = await readBody(response, most);
      if (bytes === null) throw tooLong(from, most);
      return { bytes, from };
    }
  } catch (cause) {
    if (cause instanceof FiberError) throw cause;
    throw new FiberError(
      'BAD_MODULE',
      `${from} cannot be read (${cause instanceof Error ? cause.message : String(cause)}).`,
      {
        cause,
      },
    );
  }
  throw new FiberError(
    'INVALID_OPTION',
    `A plugin is given as a URL, bytes, a Response, a promise of one of these, a pair { asyncify, jspi } of them, or a manifest; not as ${describe(source)}.`,
  );
}

function describe(source: unknown): string {
  if (source instanceof WebAssembly.Module)
    return 'a compiled module: its bytes are needed, to instrument it and to know it by';
  if (typeof source === 'string') return 'a string: wrap it in new URL(path, import.meta.url)';
  return Object.prototype.toString.call(source).slice(8, -1);
}

function tooLong(from: string, most: number): FiberError {
  return limitReached(
    'moduleBytes',
    `${from} has more than ${most} bytes, the limit moduleBytes. Give a smaller module, or a higher limit.`,
  );
}

/** The body of a response, at most so many bytes of it; null if there are more. */
export async function readBody(response: Response, most: number): Promise<Uint8Array<ArrayBuffer> | null> {
  const { body } = response;
  if (body === null) return new Uint8Array();
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > most) return null;
      chunks.push(value);
    }
  } finally {
    // What is left is of no interest; that it cannot be cancelled, neither.
    reader.cancel().catch(() => {});
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
