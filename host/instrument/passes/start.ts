/**
 * Top-level code that may suspend: a start function runs inside instantiation, where nothing can wait and nobody holds the
 * exports yet, so it becomes an export that the host calls. In the bytes the start section becomes an empty custom section
 * of the same size, which leaves every offset, and so every source map, as it was.
 */
import type { Outline } from '../binary/module.ts';

export const START_EXPORT = 'wasm-fibers.start';

/** A copy of the module's bytes without a start section; the bytes themselves if there is none. */
export function withoutStart(outline: Outline): Uint8Array {
  const section = outline.sections.find((each) => each.id === 8);
  if (section === undefined) return outline.bytes;
  const bytes = outline.bytes.slice();
  bytes[section.start] = 0;
  // The first byte of the contents is the length of the section's name.
  bytes[section.body] = 0;
  return bytes;
}
