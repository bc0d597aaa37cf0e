/** Text to bytes, by the parser of wasm-tools: instruction by instruction as written, where Binaryen would write its own. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { initSync, watify } from '@mdn/watify';

initSync({ module: readFileSync(fileURLToPath(new URL('watify_bg.wasm', import.meta.resolve('@mdn/watify')))) });

/**
 * What is not ASCII is escaped: the parser takes some of it for a deception of the reader.
 *
 * @throws SyntaxError
 */
export function assembleText(wat: string): Uint8Array<ArrayBuffer> {
  try {
    const escaped = wat.replaceAll(/[^\0-\x7f]/gu, (each) => `\\u{${each.codePointAt(0)?.toString(16) ?? ''}}`);
    return Uint8Array.from(watify(escaped));
  } catch (error) {
    throw new SyntaxError(String(error), { cause: error });
  }
}
