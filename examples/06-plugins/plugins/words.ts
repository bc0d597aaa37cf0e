// Words, in AssemblyScript: tidies a text, counts what is in it, and says what words mean, for which it asks the host
// wherever it finds one and waits there.
//
// Its collector is asc's default, `incremental`: so the guest-side part of wasm-fibers is compiled in front (build.mjs), by which
// the collector sees what waiting calls hold.

// @ts-ignore: decorator
@external('editor', 'lookup')
declare function hostLookup(ptr: usize, length: i32): u64;

export function alloc(length: i32): usize {
  return heap.alloc(length);
}

export function free(ptr: usize): void {
  heap.free(ptr);
}

/** The caller frees what is returned. */
function give(text: string): u64 {
  const length = String.UTF8.byteLength(text);
  const ptr = heap.alloc(length);
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, ptr);
  return ((<u64>ptr) << 32) | (<u64>length);
}

function take(ptr: usize, length: i32): string {
  return String.UTF8.decodeUnsafe(ptr, length);
}

/** What the host knows of a word: empty if nothing. */
function lookup(word: string): string {
  const bytes = String.UTF8.encode(word);
  const answer = hostLookup(changetype<usize>(bytes), bytes.byteLength);
  const ptr = <usize>(answer >> 32);
  const meaning = take(ptr, <i32>(answer & 0xffff_ffff));
  if (ptr != 0) heap.free(ptr);
  return meaning;
}

function isBlank(code: i32): bool {
  return code == 0x20 || code == 0x09 || code == 0x0a || code == 0x0d;
}

/** The words of a text without the punctuation around them. */
function wordsOf(text: string): string[] {
  const words = new Array<string>();
  const punctuation = '.,;:!?()[]{}"*_-';
  let at = 0;
  while (at < text.length) {
    while (at < text.length && isBlank(text.charCodeAt(at))) at++;
    let start = at;
    while (at < text.length && !isBlank(text.charCodeAt(at))) at++;
    let end = at;
    while (start < end && punctuation.includes(text.charAt(start))) start++;
    while (end > start && punctuation.includes(text.charAt(end - 1))) end--;
    if (end > start) words.push(text.substring(start, end));
  }
  return words;
}

/** One blank between words, none at the ends of lines, one empty line between paragraphs, capitals after full stops. */
export function tidy(ptr: usize, length: i32): u64 {
  const lines = take(ptr, length).split('\n');
  const tidied = new Array<string>();
  let beginning = true;
  for (let i = 0; i < lines.length; i++) {
    let line = '';
    const parts = lines[i].split(' ');
    for (let j = 0; j < parts.length; j++) {
      let part = parts[j].trim();
      if (part.length == 0) continue;
      if (beginning) part = part.charAt(0).toUpperCase() + part.substring(1);
      beginning = part.endsWith('.') || part.endsWith('!') || part.endsWith('?');
      line += (line.length == 0 ? '' : ' ') + part;
    }
    if (line.length == 0 && (tidied.length == 0 || tidied[tidied.length - 1].length == 0)) continue;
    tidied.push(line);
  }
  return give(tidied.join('\n').trimEnd() + '\n');
}

/** How much there is of what; and what the longest word means. */
export function statistics(ptr: usize, length: i32): u64 {
  const text = take(ptr, length);
  const words = wordsOf(text);
  const different = new Set<string>();
  let longest = '';
  for (let i = 0; i < words.length; i++) {
    different.add(words[i].toLowerCase());
    if (words[i].length > longest.length) longest = words[i];
  }
  const meaning = longest.length == 0 ? '' : lookup(longest.toLowerCase());
  return give(
    `${words.length} words, ${different.size} of them different, in ${text.length} characters.\n` +
      `The longest: ${longest}, ${meaning.length == 0 ? 'whose meaning nobody knows' : meaning}.\n`,
  );
}

/** Puts the meaning behind each word that stands between asterisks, one after another, each when the host has answered. */
export function annotate(ptr: usize, length: i32): u64 {
  const parts = take(ptr, length).split('*');
  let result = parts[0];
  for (let i = 1; i < parts.length; i++) {
    // Every second part is between two asterisks, unless the last has lost its partner.
    if (i % 2 == 0 || i == parts.length - 1) {
      result += (i % 2 == 0 ? '' : '*') + parts[i];
      continue;
    }
    const meaning = lookup(parts[i].toLowerCase());
    result += parts[i] + (meaning.length == 0 ? ' (?)' : ` (${meaning})`);
  }
  return give(result);
}
