/** Custom sections of our own stand behind everything else, so that no offset changes. */
import { Writer } from './writer.ts';

/** A module with one more custom section. */
export function appendSection(wasm: Uint8Array, name: string, contents: Uint8Array): Uint8Array {
  const section = new Writer().name(name).raw(contents);
  return new Writer().raw(wasm).byte(0).sized(section.bytes).bytes.slice();
}
