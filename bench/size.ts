/** What the core entry adds to an application: bundled as test/house/core-size.test.ts does it, and shared out by file. */
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

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
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: ['build/host/index.js'],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const code = result.outputFiles[0]?.contents ?? new Uint8Array();
  const inputs = Object.values(result.metafile.outputs)[0]?.inputs ?? {};
  const files = Object.entries(inputs)
    .map(([file, { bytesInOutput }]) => ({
      name: file.replace('build/host/', '').replace(/\.js$/, '.ts'),
      minified: bytesInOutput,
      share: bytesInOutput / code.length,
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
