// Everything that a guest can import from the library is explained, and shown in a program that runs.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/temporary.ts';
import { blocksOf } from './blocks.ts';

const DOCUMENT = 'docs/assemblyscript.md';
/** Types that programs meet without naming them. */
const UNNAMED: readonly string[] = ['AnyTask', 'Awaitable', 'Failure'];

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const lists = [...read('assembly/index.ts').matchAll(/^export \{([^}]*)\}/gm)];
const exported = lists.flatMap(([, list = '']) => list.split(',').map((name) => name.trim())).filter(Boolean);

test('every export of the library is in the text', () => {
  const text = read(DOCUMENT).replaceAll(/^```[^]*?^```/gm, '');
  expect(exported.length).toBeGreaterThan(25);
  expect(exported.filter((name) => !new RegExp(`\`[^\`]*\\b${name}\\b`).test(text))).toEqual([]);
});

test('and imported by a program that runs', () => {
  const programs = blocksOf(DOCUMENT).filter(({ attributes }) => attributes.has('assembly') && attributes.has('run'));
  const imported = new Set(
    programs.flatMap(({ code }) =>
      [...code.matchAll(/^import \{([^}]*)\} from 'wasm-fibers\/assembly'/gm)].flatMap(([, list = '']) =>
        list.split(',').map((name) => name.trim()),
      ),
    ),
  );
  expect(exported.filter((name) => !imported.has(name) && !UNNAMED.includes(name))).toEqual([]);
});
