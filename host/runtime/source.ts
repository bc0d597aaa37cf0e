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
  const view = ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes);
  const magic = String.fromCharCode(...view.subarray(0, 4));
  if (magic !== '\0asm') {
    throw new FiberError(
      'NOT_WASM',
      `${name} is not a WebAssembly module: it does not begin with \\0asm${magic.startsWith('<') ? ', it looks like a web page (wrong address?)' : ''}.`,
    );
  }
  if (view[6] === 1) {
    throw new FiberError('NOT_WASM', `${name} is a WebAssembly component. Give the core module inside of it.`);
  }
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw bad(`${name} cannot be compiled by this engine: it is damaged, or needs a newer one`, cause);
  }
}

async function read(source: URL | BufferSource | Response): Promise<{ bytes: BufferSource; name: string }> {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return { bytes: source, name: 'The source' };
  let name = '';
  let response = source;
  try {
    if (response instanceof URL) {
      name = response.href;
      const fs =
        response.protocol === 'file:'
          ? (globalThis as { process?: NodeProcess }).process?.getBuiltinModule?.('node:fs')
          : undefined;
      if (fs !== undefined) return { bytes: await fs.promises.readFile(response), name };
      response = await fetch(response);
    }
    if (typeof Response === 'function' && response instanceof Response) {
      name = response.url || 'The response';
      if (!response.ok) throw new Error(`HTTP status ${response.status}`);
      return { bytes: await response.arrayBuffer(), name };
    }
  } catch (cause) {
    throw bad(`${name} cannot be read`, cause);
  }
  throw new FiberError(
    'INVALID_OPTION',
    `instantiate takes a URL, bytes, a WebAssembly.Module, a Response, a promise of these, or a pair { asyncify, jspi } of them, not ${typeof source === 'string' ? 'a string: wrap it in new URL(path, import.meta.url)' : Object.keys(source ?? {}).length > 0 ? `an object of ${Object.keys(source ?? {}).join(', ')}` : String(source)}.`,
  );
}

function bad(what: string, cause: unknown): FiberError {
  return new FiberError('BAD_MODULE', `${what} (${cause instanceof Error ? cause.message : String(cause)}).`, {
    cause,
  });
}
