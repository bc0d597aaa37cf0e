/**
 * Another implementation of WASI in the place of the file functions here: one of @wasmer/wasi, of @bjorn3/browser_wasi_shim or of
 * Node, as its user has made it. None of them can wait, and each has faults of its own; so what ends a program, what sleeps, polls
 * and yields, and every stream, clock and argument that the options name, stay here.
 */
import { FiberError } from '../errors.ts';
import type { Guest } from '../index.ts';

/** A function of WASI as others write it: it answers with an error number. */
export type ForeignFunction = (...args: (number | bigint)[]) => unknown;

/** What another implementation is asked for. */
export interface WasiProvider {
  /**
   * Called once, before the first of the functions, with the guest whose memory they are to use.
   *
   * @returns the functions, by their names
   */
  attach(guest: Guest): Readonly<Record<string, unknown>>;
}

/** A ready `WASI` object of @wasmer/wasi, after `init()`. */
interface WasmerWasi {
  getImports(module: WebAssembly.Module): object;
  instantiate(instance: WebAssembly.Instance, imports: object): unknown;
}

/** Of @bjorn3/browser_wasi_shim. */
interface ShimWasi {
  readonly wasiImport: Readonly<Record<string, unknown>>;
  inst: unknown;
}

/** Of `node:wasi`. */
interface NodeWasi {
  readonly wasiImport: Readonly<Record<string, unknown>>;
  initialize(instance: object): void;
}

/** Ready objects of others that are taken as they are. */
export type ReadyWasi = WasmerWasi | ShimWasi | NodeWasi;

/**
 * The provider for what an embedder has given.
 *
 * @throws FiberError `INVALID_OPTION`
 */
export function providerOf(given: WasiProvider | ReadyWasi): WasiProvider {
  if (has(given, 'attach')) return given as WasiProvider;
  if (has(given, 'getImports') && has(given, 'instantiate')) return wasmer(given as WasmerWasi);
  if ('wasiImport' in given && 'inst' in given) return shim(given);
  if ('wasiImport' in given && has(given, 'initialize')) return node(given as NodeWasi);
  throw new FiberError(
    'INVALID_OPTION',
    'The option provider must be a ready WASI object of @wasmer/wasi, @bjorn3/browser_wasi_shim or node:wasi, or have attach(guest).',
  );
}

export function isProvider(value: unknown): value is WasiProvider | ReadyWasi {
  return typeof value === 'object' && value !== null;
}

function has(value: object, method: string): boolean {
  return method in value && typeof Reflect.get(value, method) === 'function';
}

function wasmer(wasi: WasmerWasi): WasiProvider {
  return {
    attach({ module, instance }) {
      const functions = Object.assign({}, ...Object.values(wasi.getImports(module))) as Record<string, unknown>;
      // It takes nothing but an instance of the engine's, and asks it for its memory.
      wasi.instantiate(instance, {});
      return functions;
    },
  };
}

function shim(wasi: ShimWasi): WasiProvider {
  return {
    attach({ memory }) {
      wasi.inst = { exports: { memory } };
      return wasi.wasiImport;
    },
  };
}

function node(wasi: NodeWasi): WasiProvider {
  return {
    attach({ memory }) {
      wasi.initialize({ exports: { memory } });
      return wasi.wasiImport;
    },
  };
}

/**
 * Makes @wasmer/wasi ready. Its own `init()` needs a global `Buffer`, which browsers do not have; here it gets one for the moment
 * in which it looks for it, and nobody else sees it.
 *
 * @param library what `import('@wasmer/wasi')` gives
 * @example
 * import * as library from '@wasmer/wasi';
 * await initWasmer(library);
 * const provider = new library.WASI({ args: ['program'], preopens: { '/': '/' } });
 * const exitCode = await run(source, { provider, stdin: answers() });
 */
export function initWasmer(library: { init(): Promise<void> }): Promise<void> {
  const scope = globalThis as { Buffer?: unknown };
  if (scope.Buffer !== undefined) return library.init();
  scope.Buffer = { from: (text: string): Uint8Array => Uint8Array.from(atob(text), (char) => char.charCodeAt(0)) };
  try {
    return library.init();
  } finally {
    delete scope.Buffer;
  }
}
