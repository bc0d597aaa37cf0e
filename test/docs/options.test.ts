// Options of the command in the documents: every one exists, and every one that exists is explained in the guide.
import { options as ascOptions } from 'assemblyscript/asc';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { ROOT, run } from '../support/temporary.ts';
import { blocksOf } from './blocks.ts';

const DOCUMENTS = ['README.md'].concat(
  ['guide', 'assemblyscript', 'backends', 'errors', 'explain', 'how-it-works', 'observability', 'wasi'].map(
    (name) => `docs/${name}.md`,
  ),
);
/** Options of other programs that the text speaks of. */
const OTHERS: ReadonlySet<string> = new Set([
  '-mexec-model', // clang
  '-Wl', // clang
  '--export', // wasm-ld
  '--export-table', // wasm-ld
  '-sASYNCIFY', // emcc
  '--asyncify', // wasm-opt
  '--stack-size', // node
  '--strip-all', // wasm-ld
  '--no-async-context-frame', // node
  '--row', // npm run bench
  '--save-dev', // npm
  '-D', // npm
]);
/** Those of asc. */
const OF_ASC: ReadonlySet<string> = new Set(
  Object.entries(ascOptions as Record<string, { readonly alias?: string }>).flatMap(([name, { alias }]) => [
    ...(name.startsWith('-') ? [name] : [`--${name}`]),
    ...(alias === undefined ? [] : [`-${alias}`]),
  ]),
);
const OPTION = /(?<![\w-])--?[A-Za-z][\w-]*/g;

const known = new Set<string>();
beforeAll(async () => {
  for (const command of [[], ['instrument'], ['inspect'], ['explain'], ['report'], ['run']]) {
    const help = await run(process.execPath, ['build/host/cli/main.js', ...command, '--help'], ROOT);
    for (const line of help.stdout.split('\n')) {
      if (!/^ {2}-/.test(line) && !line.includes('(also ') && !line.includes('-osu)')) continue;
      for (const [option] of line.matchAll(OPTION)) known.add(option);
    }
  }
});

/** `-O2` and the like are levels of `-O`. */
const plain = (option: string): string => option.replace(/^-O[0-4sz]$/, '-O');

test('every option that a command line in the documents uses exists', () => {
  const used = DOCUMENTS.flatMap((document) =>
    blocksOf(document).flatMap(({ code }) => code.split('\n').filter((line) => /(^|npx )wasm-fibers /.test(line))),
  );
  expect(used.length).toBeGreaterThan(2);
  // What follows `--` is the program's that is run.
  const own = used.map((line) => line.split(' -- ', 1)[0] ?? line);
  const options = own.flatMap((line) => [...line.matchAll(OPTION)].map(([option]) => plain(option)));
  expect(options.filter((option) => !known.has(option))).toEqual([]);
});

test('every option that the text names exists, or is one of another program', () => {
  const named = DOCUMENTS.flatMap((document) =>
    [
      ...readFileSync(path.join(ROOT, document), 'utf8')
        .replaceAll(/^```[^]*?^```/gm, '')
        .matchAll(/`([^`\n]+)`/g),
    ]
      .map(([, code = '']) => code)
      .filter((code) => code.startsWith('-') || code.includes(' -'))
      .flatMap((code) => [...code.matchAll(OPTION)].map(([option]) => plain(option))),
  );
  expect(OF_ASC.size).toBeGreaterThan(30);
  const unknown = named.filter((option) => !known.has(option) && !OF_ASC.has(option) && !OTHERS.has(option));
  expect(unknown).toEqual([]);
  expect([...OTHERS].filter((option) => !named.includes(option))).toEqual([]);
});

test('the guide explains every option, and the page on WASI those of `run`', () => {
  const from = (document: string, heading: string): string => {
    const text = readFileSync(path.join(ROOT, document), 'utf8');
    return text.slice(text.indexOf(heading));
  };
  const table = from('docs/guide.md', '## Options of the command') + from('docs/wasi.md', '## From the command line');
  const unexplained = [...known].filter((option) => !table.includes(`\`${option}\``) && !['-h', '-V'].includes(option));
  expect(known.size).toBeGreaterThan(20);
  expect(unexplained).toEqual([]);
});
