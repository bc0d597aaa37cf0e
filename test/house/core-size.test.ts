// The core entry depends on nothing and stays small: both are promises of the README, so both are bundled and measured.
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Metafile } from 'esbuild';
import { expect, test } from 'vitest';
import { bundle } from '../../bench/bundle.ts';
import { ROOT } from '../support/temporary.ts';

/**
 * Bytes, minified and gzipped: just above what it takes. The design hoped for 6144; the code without a single sentence for
 * people takes far more than that (docs/costs.md, Size, says how much and for what).
 */
const LIMIT = 21_400;

/** Every module that a bundle would still load, static or dynamic. */
function externals(meta: Metafile): string[] {
  const imports = Object.values(meta.inputs).flatMap((input) => input.imports);
  return imports.filter((each) => each.external === true).map((each) => each.path);
}

test('the core entry reaches no package and no node: module', async () => {
  const { meta } = await bundle('build/host/index.js', ROOT);
  expect(externals(meta)).toEqual([]);
  const strays = Object.keys(meta.inputs).filter(
    (file) => !/^build\/host\/([^/]+\.js|(backends|runtime)\/)/.test(file),
  );
  expect(strays).toEqual([]);
});

test('the check above sees what a file reaches', async () => {
  const { meta } = await bundle(path.join('test', 'house', 'core-size.test.ts'), ROOT);
  expect(externals(meta)).toEqual(expect.arrayContaining(['node:path', 'node:zlib', 'esbuild', 'vitest']));
});

test(`the core entry is at most ${LIMIT} bytes, minified and gzipped`, async () => {
  const { code } = await bundle('build/host/index.js', ROOT);
  const size = gzipSync(code, { level: 9 }).length;
  console.log(`core entry: ${code.length} bytes minified, ${size} gzipped (at most ${LIMIT})`);
  expect(size).toBeLessThanOrEqual(LIMIT);
});
