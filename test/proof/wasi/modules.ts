/** A module of the suite in the forms that it is run in; what has been instrumented once is kept in build/. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Cache } from '../../../host/cli/cache.ts';
import { FiberError, type InstrumentOptions, instrument } from '../../../host/instrument/index.ts';
import { suspendingImports } from '../../../host/wasi/index.ts';

/** `plain` is the module as its compiler made it: it waits on engines that have JSPI. */
export const WAYS = ['asyncify', 'jspi', 'plain'] as const;
export type Way = (typeof WAYS)[number];

const cache = new Cache(fileURLToPath(new URL('../../../wasi-tests', import.meta.url)));

export async function moduleFor(file: string, way: Way): Promise<Uint8Array<ArrayBuffer>> {
  const wasm = new Uint8Array(readFileSync(file));
  if (way === 'plain') return wasm;
  const suspending = suspendingImports(await WebAssembly.compile(wasm));
  // Nothing in it waits.
  if (suspending.length === 0) return wasm;
  const options = { target: way, suspending };
  try {
    return await instrumented(wasm, options);
  } catch (error) {
    if (!(error instanceof FiberError && error.code === 'NO_ALLOCATOR')) throw error;
    return instrumented(wasm, { ...options, allocator: 'memory.grow' });
  }
}

async function instrumented(wasm: Uint8Array, options: InstrumentOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { result } = await cache.get({ wasm, options }, () => instrument(wasm, options));
  return new Uint8Array(result.wasm);
}
