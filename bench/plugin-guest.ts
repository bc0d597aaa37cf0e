/**
 * The plugin of the rows on plugins and on slices, in AssemblyScript with its collector. It is measured as its compiler made it,
 * since that is how plugins are loaded; for the row on loading there is a build for each backend besides, as an embedder makes it who
 * instruments it beforehand.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { BackendKind } from '../host/index.ts';
import { instrument } from '../host/instrument/index.ts';

const FOLDER = new URL('../guests/bench/', import.meta.url);
const ASC = fileURLToPath(new URL('../../node_modules/assemblyscript/bin/asc.js', import.meta.url));
/** The guest part, which its collector needs. */
const PART = fileURLToPath(new URL('../../assembly/fibers.ts', import.meta.url));

/**
 * `busy` does work of three kinds, some milliseconds of each, whose units of fuel take differently long: so a slice is of code
 * whose speed changes.
 */
const TEXT = `
// @ts-ignore: decorator
@external('app', 'translate')
declare function translate(ptr: usize, length: i32): u64;

export function alloc(length: i32): usize {
  return heap.alloc(length);
}

export function free(ptr: usize): void {
  heap.free(ptr);
}

function give(text: string): u64 {
  const length = String.UTF8.byteLength(text);
  const ptr = heap.alloc(length);
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, ptr);
  return ((<u64>ptr) << 32) | (<u64>length);
}

export function next(x: i32): i32 {
  return (x * 31 + 7) & 0xffff;
}

export function shout(ptr: usize, length: i32): u64 {
  return give(String.UTF8.decodeUnsafe(ptr, length).toUpperCase() + '!');
}

export function shoutInGerman(ptr: usize, length: i32): u64 {
  const answer = translate(ptr, length);
  const text = String.UTF8.decodeUnsafe(<usize>(answer >> 32), <usize>(answer & 0xffff_ffff));
  heap.free(<usize>(answer >> 32));
  return give(text.toUpperCase() + '!');
}

const block = heap.alloc(65536);

export function busy(): void {
  let x: u32 = 1;
  let y: f64 = 1;
  while (true) {
    for (let i = 0; i < 1_000_000; i++) {
      x ^= x << 13;
      x ^= x >> 17;
      x ^= x << 5;
    }
    for (let i = 0; i < 500_000; i++) y = Math.sqrt(y + <f64>x / 3);
    for (let i = 0; i < 1000; i++) memory.copy(block, block + 32768, 32768);
    store<f64>(block, y);
  }
}
`;

/** Writes plugin.wasm, plugin-asyncify.wasm and plugin-jspi.wasm. */
export async function buildPluginGuest(): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(new URL('plugin.ts', FOLDER), TEXT);
  // There asc finds no asconfig.json of ours.
  const cwd = fileURLToPath(FOLDER);
  execFileSync(process.execPath, [ASC, PART, 'plugin.ts', '-O3', '--outFile', 'plugin.wasm'], {
    stdio: 'inherit',
    cwd,
  });
  for (const target of ['asyncify', 'jspi'] as const) {
    // As `Plugin.load` does it.
    const options = { suspending: ['app.translate'], metered: true, limits: PLUGIN_MODULE_LIMITS, target } as const;
    writeFileSync(new URL(`plugin-${target}.wasm`, FOLDER), (await instrument(readPlugin(), options)).wasm);
  }
}

/** The defaults of plugins: pages and elements. */
const PLUGIN_MODULE_LIMITS = { memoryPages: 4096, tableElements: 100_000 } as const;

/** @param backend null for the module as its compiler made it */
export function readPlugin(backend: BackendKind | null = null): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`plugin${backend === null ? '' : `-${backend}`}.wasm`, FOLDER)));
}
