/** From whatever the embedder has to a source map. Uses nothing but the platform, as the core does. */
import { FiberError } from '../errors.ts';
import { bad, decodeMap } from './decode.ts';
import { type ModuleFacts, isModule, readModule, readUrl } from './module.ts';
import { SourceMap } from './source-map.ts';

/**
 * A module, or a source map: its address, its bytes, a response with it, a compiled module, or the text or the object
 * of a map. What the address leads to may be either.
 */
export type MapSource = URL | Response | BufferSource | WebAssembly.Module | string | object;

interface NodeProcess {
  getBuiltinModule?(name: 'node:fs'): { promises: { readFile(path: URL): Promise<Uint8Array<ArrayBuffer>> } };
}

/** What was read; `base` is where from. */
interface Loaded {
  readonly what: string;
  readonly base: string | null;
  readonly module: ModuleFacts | null;
  /** Text or object. */
  readonly map: unknown;
}

/**
 * Loads the source map of a guest. Give the module itself where you can (it is in the cache already): its section
 * `sourceMappingURL` leads to the map, and frames of several guests can be told apart. A map alone serves a single guest.
 *
 * @param source the module or, if there is nothing else, its map
 * @param map of a module that does not name its map, or whose own address is not known
 * @throws FiberError `BAD_SOURCE_MAP` if there is none, it cannot be read, or it is that of another module
 * @example
 * const map = await loadSourceMap(new URL('app.wasm', import.meta.url));
 * @example
 * const map = await loadSourceMap(bytes, JSON.parse(text));
 */
export async function loadSourceMap(
  source: MapSource | PromiseLike<MapSource>,
  map?: MapSource | PromiseLike<MapSource>,
): Promise<SourceMap> {
  const first = await read(await source);
  if (first.module === null) {
    if (map !== undefined) throw bad(first.what, 'is no module: with two arguments, the first is the module');
    return new SourceMap(decodeMap(first.map, first.what), first.what, null, null);
  }
  const second = await read(map === undefined ? addressOfMap(first.module, first) : await map);
  if (second.module !== null) throw bad(second.what, 'is a module, not the source map of one');
  return new SourceMap(decodeMap(second.map, second.what), second.what, first.module.functions, first.base);
}

function addressOfMap({ sourceMappingUrl }: ModuleFacts, { what, base }: Loaded): URL {
  if (sourceMappingUrl === null) {
    throw bad(
      what,
      'names no source map (section sourceMappingURL). Compile it with source maps (asc --sourceMap), or give the map as the second argument',
    );
  }
  try {
    return base === null ? new URL(sourceMappingUrl) : new URL(sourceMappingUrl, base);
  } catch (cause) {
    throw bad(
      what,
      `names its source map relative to its own address (${sourceMappingUrl}), which is not known here. Give the address of the module, or the map as the second argument`,
      cause,
    );
  }
}

async function read(source: MapSource): Promise<Loaded> {
  if (source instanceof URL) return readUrlOf(source);
  if (typeof Response === 'function' && source instanceof Response) {
    if (!source.ok) throw bad(source.url, `cannot be read: HTTP status ${source.status}`);
    return fromBytes(new Uint8Array(await source.arrayBuffer()), source.url || 'The response', source.url || null);
  }
  if (source instanceof ArrayBuffer) return fromBytes(new Uint8Array(source), 'The source', null);
  if (ArrayBuffer.isView(source)) {
    return fromBytes(new Uint8Array(source.buffer, source.byteOffset, source.byteLength), 'The source', null);
  }
  if (source instanceof WebAssembly.Module) {
    const [section] = WebAssembly.Module.customSections(source, 'sourceMappingURL');
    const sourceMappingUrl = section === undefined ? null : readUrl(section);
    return { what: 'The module', base: null, module: { functions: null, sourceMappingUrl }, map: null };
  }
  if (typeof source === 'string' && !/^\s*[{)]/.test(source)) {
    throw bad('A string', 'is taken for the text of a source map; for an address write new URL(path, import.meta.url)');
  }
  return { what: 'The source map', base: null, module: null, map: source };
}

async function readUrlOf(url: URL): Promise<Loaded> {
  // A data: address holds the whole map.
  const what = url.protocol === 'data:' ? 'The source map' : url.href;
  try {
    const fs =
      url.protocol === 'file:'
        ? (globalThis as { process?: NodeProcess }).process?.getBuiltinModule?.('node:fs')
        : undefined;
    if (fs !== undefined) return fromBytes(await fs.promises.readFile(url), what, url.href);
    return { ...(await read(await fetch(url))), what, base: url.href };
  } catch (cause) {
    if (cause instanceof FiberError) throw cause;
    throw bad(what, `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
}

function fromBytes(bytes: Uint8Array, what: string, base: string | null): Loaded {
  return isModule(bytes)
    ? { what, base, module: readModule(bytes), map: null }
    : { what, base, module: null, map: new TextDecoder().decode(bytes) };
}
