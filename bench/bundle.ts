/** Bundles a file of this package as an application's bundler would, and tells what is loaded at once from what is loaded when it is needed. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Metafile } from 'esbuild';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Bundle {
  /** What is loaded at once, minified. */
  readonly code: Uint8Array;
  /** Bytes of it by input file. */
  readonly inputs: ReadonlyMap<string, number>;
  /** Of all that was bundled, whenever it is loaded. */
  readonly meta: Metafile;
}

/**
 * @param entry relative to the root of the repository
 * @param root of the repository, if this file is not run from where it is built to
 */
export async function bundle(entry: string, root: string = ROOT): Promise<Bundle> {
  const { metafile, outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    splitting: true,
    outdir: 'out',
    minify: true,
    format: 'esm',
    platform: 'browser',
    // Every package and node: module stays an import.
    packages: 'external',
    external: ['node:*'],
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const { outputs } = metafile;
  const main = Object.keys(outputs).find((file) => outputs[file]?.entryPoint === entry);
  if (main === undefined) throw new Error(`esbuild made nothing of ${entry}`);
  const atOnce = new Set([main]);
  // The set grows while it is gone through.
  for (const file of atOnce) {
    for (const { path: next, kind, external } of outputs[file]?.imports ?? []) {
      if (external !== true && kind === 'import-statement') atOnce.add(next);
    }
  }
  const inputs = new Map<string, number>();
  for (const file of atOnce) {
    for (const [input, { bytesInOutput }] of Object.entries(outputs[file]?.inputs ?? {}))
      inputs.set(input, bytesInOutput);
  }
  const loaded = outputFiles.filter((file) => atOnce.has(path.relative(root, file.path)));
  return { code: Buffer.concat(loaded.map((file) => file.contents)), inputs, meta: metafile };
}
