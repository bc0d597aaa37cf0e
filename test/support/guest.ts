// Guests built by test/guests/build.mjs, loaded on Node and in browsers alike: the URL of this file says which it is.

const GUESTS = '../../build/guests/';

/**
 * The bytes of `build/guests/<name>.wasm`.
 *
 * @param name the file's name without `.wasm`; may name a folder, as in `c/qsort`
 * @throws Error that says how to build it, if it is not there
 */
export async function loadGuest(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await read(name);
  if (bytes === undefined)
    throw new Error(`Guest '${name}' is not built: run 'node test/guests/build.mjs' and read what it skipped.`);
  return bytes;
}

/** Whether the guest was built: for `describe.skipIf(!(await hasGuest('qsort')))` where a guest needs clang. */
export async function hasGuest(name: string): Promise<boolean> {
  return (await read(name)) !== undefined;
}

/** Where `build/guests/<name>.wasm` is, for what loads it by itself. */
export function guestAddress(name: string): URL {
  return new URL(`${GUESTS}${name}.wasm`, import.meta.url);
}

async function read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const url = guestAddress(name);
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
