/** Custom sections of a module's bytes, to be replaced by what no compiler writes. */

/** The module with its custom sections of this name left out, and one with this content appended for each given. */
export function withSections(
  module: Uint8Array<ArrayBuffer>,
  name: string,
  ...contents: readonly Uint8Array[]
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [module.subarray(0, 8)];
  for (let at = 8; at < module.length;) {
    const [size, start] = unsigned(module, at + 1);
    const [length, text] = unsigned(module, start);
    const isIt = module[at] === 0 && new TextDecoder().decode(module.subarray(text, text + length)) === name;
    if (!isIt) parts.push(module.subarray(at, start + size));
    at = start + size;
  }
  const title = new TextEncoder().encode(name);
  for (const content of contents) {
    const body = [...leb(title.length), ...title];
    parts.push(Uint8Array.from([0, ...leb(body.length + content.length), ...body]), content);
  }
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function unsigned(bytes: Uint8Array, at: number): [value: number, next: number] {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? 0;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at];
  }
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80);
  return [...bytes, value];
}
