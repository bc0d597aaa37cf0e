// The core entry depends on nothing and stays small: both are promises of the README, so both are bundled and measured.
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';
import { expect, test } from 'vitest';
import { ROOT } from '../support/temporary.ts';

/**
 * Bytes, minified and gzipped: just above what it takes. The design hoped for 6144; the code without a single sentence for
 * people takes far more than that (docs/costs.md, Size, says how much and for what).
 */
const LIMIT = 21_300;

/**
 * Bundles a file as an application's bundler would, leaving every package and node: module an import.
 *
 * @returns the code that is loaded at once, without what is imported when it is needed
 */
async function bundle(entry: string): Promise<{ code: Uint8Array; meta: Metafile }> {
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    splitting: true,
    outdir: 'out',
    minify: true,
    format: 'esm',
    platform: 'browser',
    packages: 'external',
    external: ['node:*'],
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const { outputs } = result.metafile;
  const main = Object.keys(outputs).find((file) => outputs[file]?.entryPoint === entry);
  if (main === undefined) throw new Error(`esbuild made nothing of ${entry}`);
  const atOnce = new Set([main]);
  // The set grows while it is gone through.
  for (const file of atOnce) {
    for (const { path: next, kind, external } of outputs[file]?.imports ?? []) {
      if (external !== true && kind === 'import-statement') atOnce.add(next);
    }
  }
  const loaded = result.outputFiles.filter((file) => atOnce.has(path.relative(ROOT, file.path)));
  return { code: Buffer.concat(loaded.map((file) => file.contents)), meta: result.metafile };
}

/** Every module that a bundle would still load, static or dynamic. */
function externals(meta: Metafile): string[] {
  const imports = Object.values(meta.inputs).flatMap((input) => input.imports);
  return imports.filter((each) => each.external === true).map((each) => each.path);
}

test('the core entry reaches no package and no node: module', async () => {
  const { meta } = await bundle('build/host/index.js');
  expect(externals(meta)).toEqual([]);
  const strays = Object.keys(meta.inputs).filter(
    (file) => !/^build\/host\/([^/]+\.js|(backends|runtime)\/)/.test(file),
  );
  expect(strays).toEqual([]);
});

test('the check above sees what a file reaches', async () => {
  const { meta } = await bundle(path.join('test', 'house', 'core-size.test.ts'));
  expect(externals(meta)).toEqual(expect.arrayContaining(['node:path', 'node:zlib', 'esbuild', 'vitest']));
});

test(`the core entry is at most ${LIMIT} bytes, minified and gzipped`, async () => {
  const { code } = await bundle('build/host/index.js');
  const size = gzipSync(code, { level: 9 }).length;
  console.log(`core entry: ${code.length} bytes minified, ${size} gzipped (at most ${LIMIT})`);
  expect(size).toBeLessThanOrEqual(LIMIT);
});
