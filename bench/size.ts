/** What the core entry adds to an application: bundled as test/house/core-size.test.ts does it, and shared out by file. */
import { gzipSync } from 'node:zlib';
import { bundle } from './bundle.ts';

/** Bytes, gzipped. */
export const SIZE_TARGET = 6144;

export interface CoreSize {
  readonly minified: number;
  readonly gzipped: number;
  /** Largest first; `share` is of the minified bytes, since compression has no parts. */
  readonly files: readonly { readonly name: string; readonly minified: number; readonly share: number }[];
  /** What would be left of the gzipped bytes without the text of the error messages. */
  readonly withoutMessages: number;
}

export async function measureSize(): Promise<CoreSize> {
  const { code, inputs } = await bundle('build/host/index.js');
  const files = [...inputs]
    .map(([file, minified]) => ({
      name: file.replace('build/host/', '').replace(/\.js$/, '.ts'),
      minified,
      share: minified / code.length,
    }))
    .filter((each) => each.minified > 0)
    .toSorted((a, b) => b.minified - a.minified);
  const text = new TextDecoder().decode(code);
  return {
    minified: code.length,
    gzipped: gzipped(text),
    files,
    withoutMessages: gzipped(withoutSentences(text)),
  };
}

function gzipped(text: string): number {
  return gzipSync(text, { level: 9 }).length;
}

/** Strings and templates with a space in them are for people. */
function withoutSentences(text: string): string {
  return text.replace(/(["'`])(?:\\.|\$\{[^{}]*\}|(?!\1)[^\\])*\1/gs, (string) => (/ /.test(string) ? '""' : string));
}
