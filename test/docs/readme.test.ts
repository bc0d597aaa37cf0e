// Every program in the documents is run, and prints what the document says.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasGuest } from '../support/guest.ts';
import { type Block, blocksOf, forgotten, isProgram, isRun, needsOf, runsOf } from './blocks.ts';
import { type Workshop, chromium, nodeWithJspi, openWorkshop } from './workshop.ts';

const DOCUMENTS = ['README.md'].concat(
  ['guide', 'assemblyscript', 'backends', 'explain', 'metering', 'observability', 'plugins', 'wasi'].map(
    (name) => `docs/${name}.md`,
  ),
);
/** Programs that are shown and not executed; a document that gets another one changes this number. */
const NOT_RUN: Readonly<Record<string, number>> = {
  'README.md': 3,
  'docs/assemblyscript.md': 1,
  'docs/plugins.md': 1,
  'docs/wasi.md': 1,
};

const missing = new Map<string, boolean>([
  // The guests in C are built where clang is.
  ['clang', !(await hasGuest('qsort'))],
  ['chromium', chromium() === undefined],
  ['jspi', nodeWithJspi() === undefined],
]);

/** Can this block not run here? The title of its test says what to install. */
function lacks(block: Block): boolean {
  return needsOf(block).some((program) => missing.get(program) !== false);
}

function title(block: Block): string {
  const { line, language, attributes } = block;
  const needs = needsOf(block);
  return `line ${line}: ${attributes.get('file') ?? language}${needs.length === 0 ? '' : ` (needs ${needs.join(', ')})`}`;
}

/** Progress is printed only when something takes longer than a second. */
function tidy(output: string): string {
  return output
    .replaceAll(/^wasm-fibers: \w+ \.\.\.( \(after .*\))?\n/gm, '')
    .replaceAll(/[ \t]+$/gm, '')
    .trim();
}

/** A pattern in which a line of three dots is any number of lines. */
function pattern(output: string): RegExp {
  const parts = output.split(/^\.\.\.$/m).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^]*')}$`);
}

describe.each(DOCUMENTS)('%s', (document) => {
  const blocks = blocksOf(document);
  const runs = runsOf(blocks);
  let workshop: Workshop;

  beforeAll(async () => {
    workshop = await openWorkshop(blocks);
    for (const block of blocks) if (!isRun(block)) await workshop.perform(block);
  });
  afterAll(() => workshop.close());

  test('no program is left out', () => {
    expect(forgotten(blocks)).toEqual([]);
    const idle = blocks.filter((block) => isProgram(block) && block.attributes.has('not-run'));
    expect(idle.map((block) => block.attributes.get('not-run')).filter((reason) => reason === '')).toEqual([]);
    expect(idle).toHaveLength(NOT_RUN[document] ?? 0);
    expect(runs.length).toBeGreaterThan(0);
  });

  test('what a program prints is shown', () => {
    const silent = runs.filter(({ block, output }) => output === null && block.language !== 'sh');
    expect(silent.map(({ block }) => title(block))).toEqual([]);
  });

  for (const { block, output } of runs) {
    test.skipIf(lacks(block))(title(block), { timeout: 120_000 }, async () => {
      const { code, stdout, stderr } = await workshop.perform(block);
      const printed = tidy(stdout);
      const wanted = Number(block.attributes.get('exit') ?? block.attributes.has('refused'));
      expect(code, `${printed}\n${stderr}`).toBe(wanted);
      if (output !== null && !pattern(output.code).test(printed)) expect(printed).toBe(output.code);
    });
  }
});
