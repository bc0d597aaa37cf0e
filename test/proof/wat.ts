/** Text to bytes, by the parser of wasm-tools: instruction by instruction as written, where Binaryen would write its own. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { initSync, watify } from '@mdn/watify';

initSync({ module: readFileSync(fileURLToPath(new URL('watify_bg.wasm', import.meta.resolve('@mdn/watify')))) });

/** @throws SyntaxError */
export function assembleText(wat: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(watify(wat));
  } catch (error) {
    throw new SyntaxError(String(error), { cause: error });
  }
}
