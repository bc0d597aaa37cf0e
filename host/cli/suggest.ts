/** What a command or a line of code must look like that a person copies: quoted as its reader needs it. */
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** A word of a POSIX shell's command line, quoted only where it must be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** A file name as such a word; one that begins with a dash would be taken for an option. */
export function shellFile(file: string): string {
  return shellWord(file.startsWith('-') ? `./${file}` : file);
}

/** A path as the first argument of `new URL(..., import.meta.url)`, fit for single quotes. */
export function relativeUrl(file: string): string {
  if (path.isAbsolute(file)) return pathToFileURL(file).href.replaceAll("'", '%27');
  const parts = file.split(path.sep).map((part) => encodeURIComponent(part).replaceAll("'", '%27'));
  return parts.join('/');
}

/** Imports that every toolchain's modules have, and whose answer is there at once: nobody means them by `--suspending`. */
const AT_ONCE: ReadonlySet<string> = new Set([
  'abort',
  '_abort_js',
  'seed',
  'trace',
  'exit',
  '_exit',
  'proc_exit',
  'args_get',
  'args_sizes_get',
  'environ_get',
  'environ_sizes_get',
  'clock_time_get',
  'random_get',
  'emscripten_resize_heap',
  'Date.now',
  'Math.random',
  'performance.now',
]);

export function neverWaits({ name }: { readonly name: string }): boolean {
  return AT_ONCE.has(name) || name.startsWith('console.');
}
