/** What the command writes is there whole or not at all, several files as well as one. */
import { execFileSync } from 'node:child_process';
import { mkdir, open, readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { writeOutputs } from '../../host/cli/output.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** More than a pipe takes without a reader. */
const LARGE = new Uint8Array(1 << 20);

test.each([
  ['what stood there before is put back', 'precious'],
  ['what was not there before is not there after', null],
])('when the last of several files cannot take its place: %s', async (_, before) => {
  const folder = await temporaryFolder();
  const at = (name: string): string => path.join(folder, name);
  if (before !== null) await writeFile(at('a.asyncify.wasm'), before);
  execFileSync('mkfifo', [at('pipe')]);
  const reader = await open(at('pipe'), 'r+');
  // Files take their places when the pipe has taken everything: until then the test has all the time it needs.
  const written = writeOutputs([
    { file: at('a.asyncify.wasm'), contents: 'new' },
    { file: at('pipe'), contents: LARGE },
    { file: at('a.jspi.wasm'), contents: 'new' },
  ]);
  const buffer = new Uint8Array(LARGE.length);
  let seen = (await reader.read(buffer, 0, 1, null)).bytesRead;
  while ((await readdir(folder)).filter((name) => name.endsWith('.tmp')).length < 2) await Promise.resolve();
  await mkdir(at('a.jspi.wasm'));
  const refused = expect(written).rejects.toMatchObject({ exitCode: 1, message: `${at('a.jspi.wasm')}: is a folder.` });
  while (seen < LARGE.length) seen += (await reader.read(buffer, 0, buffer.length, null)).bytesRead;
  await refused;
  await reader.close();
  const left = (await readdir(folder)).toSorted();
  expect(left).toEqual([...(before === null ? [] : ['a.asyncify.wasm']), 'a.jspi.wasm', 'pipe']);
  if (before !== null) expect(await readFile(at('a.asyncify.wasm'), 'utf8')).toBe(before);
});

test('several files that can be written replace what was there, and leave nothing beside it', async () => {
  const folder = await temporaryFolder({ 'a.wasm': 'old' });
  const at = (name: string): string => path.join(folder, name);
  await writeOutputs(['a.wasm', 'b.wasm', 'c.wasm'].map((name) => ({ file: at(name), contents: `new ${name}` })));
  expect((await readdir(folder)).toSorted()).toEqual(['a.wasm', 'b.wasm', 'c.wasm']);
  expect(await readFile(at('a.wasm'), 'utf8')).toBe('new a.wasm');
});
