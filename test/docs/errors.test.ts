// docs/errors.md has a section for each code, and the program in a section fails with its code.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../support/temporary.ts';
import { type Block, blocksOf, forgotten } from './blocks.ts';
import { type Workshop, openWorkshop } from './workshop.ts';

const DOCUMENT = 'docs/errors.md';
/** No small program causes them every time or on every engine, or none at all should. */
const WITHOUT_CAUSE = ['BINARYEN_FAILED', 'BINARYEN_MISSING', 'DEPTH_LIMIT', 'INTERNAL', 'MAX_STACKS'];

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const [, union = ''] = /export type FiberErrorCode =([^;]*);/.exec(read('host/errors.ts')) ?? [];
const codes = [...union.matchAll(/'(\w+)'/g)].map(([, code = '']) => code);
const headings = [...read(DOCUMENT).matchAll(/^### (.*)$/gm)].map(([, title = '']) => title);
const blocks = blocksOf(DOCUMENT);
const causes = blocks.filter((block) => block.attributes.has('error'));

describe('the list of codes', () => {
  test('is the one of the package, in its order', () => {
    expect(codes.length).toBeGreaterThan(30);
    expect(headings).toEqual(codes);
  });

  test('every code that a document names exists', () => {
    const known = new Set(codes);
    for (const document of ['README.md', 'docs/guide.md', 'docs/how-it-works.md', DOCUMENT]) {
      const named = [...read(document).matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map(([, code = '']) => code);
      expect(
        named.filter((code) => !known.has(code)),
        document,
      ).toEqual([]);
    }
  });

  test('every code stands with its cause, in its own section', () => {
    expect(forgotten(blocks)).toEqual([]);
    const sections = read(DOCUMENT).split(/^### /m).slice(1);
    const shown = sections.map((section) => [
      section.split('\n', 1)[0],
      ...[...section.matchAll(/^```js error=(\w+)$/gm)].map(([, code]) => code),
    ]);
    expect(shown).toEqual(codes.map((code) => (WITHOUT_CAUSE.includes(code) ? [code] : [code, code])));
  });
});

describe('the cause of', () => {
  let workshop: Workshop;
  const outcomes = new Map<string, string>();

  /** All causes in one program, each in a function of its own. */
  function program(): Block {
    const functions = causes.map(
      ({ code, attributes }) => `'${attributes.get('error') ?? ''}': async () => {\n${code}\n},`,
    );
    const code = `import asc from 'assemblyscript/asc';
import { currentFiber, instantiate, reentrant } from 'wasm-fibers';
import { instrument } from 'wasm-fibers/instrument';
import { app, assemble, env, guest, plain } from './prelude.js';
const causes = {\n${functions.join('\n')}\n};
for (const [code, cause] of Object.entries(causes)) {
  const outcome = await cause().then(() => 'nothing failed', (error) => error.code ?? error.stack);
  console.log(JSON.stringify([code, outcome]));
}`;
    const attributes = new Map([
      ['file', 'causes.js'],
      ['run', ''],
    ]);
    return { document: DOCUMENT, line: 0, language: 'js', attributes, code };
  }

  beforeAll(async () => {
    workshop = await openWorkshop();
    for (const block of blocks) if (block.attributes.has('file')) await workshop.perform(block);
    const { stdout } = await workshop.perform(program());
    for (const line of stdout.split('\n').filter((each) => each.startsWith('["'))) {
      const [code, outcome] = JSON.parse(line) as [string, string];
      outcomes.set(code, outcome);
    }
    if (outcomes.size !== causes.length) throw new Error(`the programs of ${DOCUMENT} did not all run:\n${stdout}`);
  });
  afterAll(() => workshop.close());

  test.each(causes.map(({ attributes }) => attributes.get('error') ?? ''))('%s is what the program shows', (code) => {
    expect(outcomes.get(code)).toBe(code);
  });
});
