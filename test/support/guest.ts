// Guests built by test/guests/build.mjs, loaded on Node and in browsers alike: the URL of this file says which it is.
import type { BackendKind, SourcePair } from 'wasm-fibers';
import { backend, pairs } from './backend.ts';

const GUESTS = '../../build/guests/';

/** Where a module for a backend is: `core` is in `core.fibers.wasm`, and for JSPI in `core.jspi.wasm`. */
function fileOf(name: string, kind: BackendKind): string {
  if (kind === 'jspi') return `${name}.jspi.wasm`;
  // What the transform writes is instrumented in any case.
  return name.startsWith('typed/') ? `${name}.wasm` : `${name}.fibers.wasm`;
}

/**
 * What `instantiate` is given for a guest. In a run of pairs the module that must not be chosen is at an address where
 * there is none: whoever fetches it fails.
 *
 * @param name the file's name without its ending; may name a folder, as in `typed/basic`
 */
export function guestSource(name: string): Promise<Uint8Array<ArrayBuffer>> | SourcePair {
  if (!pairs) return loadGuest(name);
  const nowhere = addressOf('there-is-none.wasm');
  return { asyncify: nowhere, jspi: nowhere, [backend]: guestAddress(name) };
}

/**
 * The bytes of a guest, instrumented for the backend that this run tests.
 *
 * @throws Error that says how to build it, if it is not there
 */
export async function loadGuest(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return load(fileOf(name, backend));
}

/** The same for the backend of the caller's choice. */
export async function loadGuestFor(kind: BackendKind, name: string): Promise<Uint8Array<ArrayBuffer>> {
  return load(fileOf(name, kind));
}

/** The bytes of a guest as its compiler made it. */
export async function loadPlain(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return load(`${name}.wasm`);
}

/** Whether the guest was built: for `describe.skipIf(!(await hasGuest('qsort')))` where a guest needs clang. */
export async function hasGuest(name: string): Promise<boolean> {
  return (await read(fileOf(name, backend))) !== undefined;
}

/** Where the guest is, instrumented for the backend that this run tests. */
export function guestAddress(name: string, kind: BackendKind = backend): URL {
  return addressOf(fileOf(name, kind));
}

const addressOf = (file: string): URL => new URL(`${GUESTS}${file}`, import.meta.url);

async function load(file: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await read(file);
  if (bytes === undefined)
    throw new Error(`build/guests/${file} is not built: run 'node test/guests/build.mjs' and read what it skipped.`);
  return bytes;
}

async function read(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const url = addressOf(file);
  if (url.protocol === 'file:') {
    const fs = process.getBuiltinModule('node:fs');
    return fs.existsSync(url) ? new Uint8Array(fs.readFileSync(url)) : undefined;
  }
  const response = await fetch(url);
  const bytes = new Uint8Array(await response.arrayBuffer());
  // A development server may answer a missing file with a page and status 200.
  const isWasm = bytes[0] === 0x00 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;
  return response.ok && isWasm ? bytes : undefined;
}
