/**
 * From whatever the embedder has to a compiled module. Uses nothing but the platform: a `file:` address is read through
 * `process.getBuiltinModule` where fetch refuses it, so that the core imports no `node:` module.
 */
import { FiberError } from '../errors.ts';
import type { Source } from './api.ts';

interface NodeProcess {
  getBuiltinModule?(name: 'node:fs'): { promises: { readFile(path: URL): Promise<Uint8Array<ArrayBuffer>> } };
}

/**
 * @throws FiberError `NOT_WASM` if these are no WebAssembly bytes, `BAD_MODULE` if the engine cannot compile them or they
 * cannot be read
 */
export async function compile(source: Source | PromiseLike<Source>): Promise<WebAssembly.Module> {
  const given = await source;
  if (given instanceof WebAssembly.Module) return given;
  // The platform's type of a module is an empty one, so the compiler cannot tell that it is none.
  const { bytes, name } = await read(given as URL | BufferSource | Response);
  const magic = new Uint8Array(
    bytes instanceof ArrayBuffer ? bytes : bytes.buffer,
    offset(bytes),
    Math.min(8, bytes.byteLength),
  );
  if (magic.length < 4 || magic[0] !== 0 || magic[1] !== 0x61 || magic[2] !== 0x73 || magic[3] !== 0x6d) {
    throw new FiberError(
      'NOT_WASM',
      `${name} is not a WebAssembly module: it does not begin with \\0asm${magic[0] === 0x3c ? ', it looks like a web page (wrong address?)' : ''}.`,
    );
  }
  if (magic[6] === 1) {
    throw new FiberError('NOT_WASM', `${name} is a WebAssembly component. Give the core module inside of it.`);
  }
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new FiberError(
      'BAD_MODULE',
      `${name} cannot be compiled by this engine: ${messageOf(cause)}. It is damaged, or needs a newer one.`,
      { cause },
    );
  }
}

function offset(bytes: BufferSource): number {
  return bytes instanceof ArrayBuffer ? 0 : bytes.byteOffset;
}

async function read(source: URL | BufferSource | Response): Promise<{ bytes: BufferSource; name: string }> {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return { bytes: source, name: 'The source' };
  if (source instanceof URL) {
    try {
      const fs =
        source.protocol === 'file:'
          ? (globalThis as { process?: NodeProcess }).process?.getBuiltinModule?.('node:fs')
          : undefined;
      if (fs !== undefined) return { bytes: await fs.promises.readFile(source), name: source.href };
      return await read(await fetch(source));
    } catch (cause) {
      if (cause instanceof FiberError) throw cause;
      throw new FiberError('BAD_MODULE', `${source.href} cannot be read: ${messageOf(cause)}`, { cause });
    }
  }
  if (typeof Response === 'function' && source instanceof Response) {
    if (!source.ok) throw new FiberError('BAD_MODULE', `${source.url} cannot be read: HTTP status ${source.status}`);
    return { bytes: await source.arrayBuffer(), name: source.url || 'The response' };
  }
  throw new FiberError(
    'INVALID_OPTION',
    `instantiate takes a URL, bytes, a WebAssembly.Module or a Response, not ${typeof source === 'string' ? 'a string: wrap it in new URL(path, import.meta.url)' : typeof source}.`,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
