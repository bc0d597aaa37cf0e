/**
 * The files of a compilation, by asc's own rules, and those of the second module of a pair, of which asc knows nothing: it
 * stands beside the first, `app.jspi.wasm` beside `app.wasm`, and so does its source map.
 */
import path from 'node:path';
import type { Target } from '../../runtime/metadata.ts';
import type { Program } from './asc.ts';
import type { AscOptions, TransformTarget } from './options.ts';
import type { Emitted } from './output.ts';

export interface OutputFile {
  readonly name: string;
  readonly contents: string | Uint8Array;
}

/** As asc does it. */
export function withoutExtension(file: string): string {
  return file.replace(/\.\w+$/, '');
}

/** What the module for JSPI of a pair is called. */
export function pairedName(outFile: string): string {
  const base = withoutExtension(outFile);
  return `${base}.jspi${outFile.slice(base.length)}`;
}

/** What asc will pass to `emitBinary`. Null if no source map is wanted. */
function sourceMapUrl({ sourceMap, outFile, textFile }: AscOptions): string | null {
  if (sourceMap === undefined || sourceMap === null) return null;
  return sourceMap === ''
    ? `./${path.basename(withoutExtension(outFile || textFile || 'output'))}.wasm.map`
    : sourceMap;
}

/** The URL of the map of each module. A module that is alone has the one that asc was asked for. */
export function sourceMapUrls(asc: AscOptions, target: TransformTarget): Readonly<Record<Target, string>> | null {
  const url = sourceMapUrl(asc);
  if (url === null) return null;
  const paired = url.replace(/(?:(?:\.wasm)?\.\w+)?$/, (extension) => `.jspi${extension}`);
  return { asyncify: url, jspi: target === 'both' ? paired : url };
}

/**
 * The second module and its source map, with what asc adds to the map of the first.
 *
 * @param outFile name of the first
 */
export function pairedFiles(
  { binary, sourceMap }: Emitted,
  outFile: string,
  mapUrl: string | null,
  program: Program,
): readonly OutputFile[] {
  const module = { name: pairedName(outFile), contents: binary };
  if (mapUrl === null || sourceMap === '') return [module];
  const map = JSON.parse(sourceMap) as { readonly sources: readonly string[] };
  const texts = new Map(program.sources.map((source) => [source.normalizedPath, source.text]));
  const contents = JSON.stringify({
    ...map,
    // The same for both, since their sources are.
    sourceRoot: `./${path.basename(withoutExtension(outFile))}`,
    sourcesContent: map.sources.map((source) => texts.get(source) ?? null),
  });
  return [{ name: path.join(path.dirname(outFile), path.basename(mapUrl)), contents }, module];
}
