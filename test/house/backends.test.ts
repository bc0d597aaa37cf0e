// The specification is one for both backends. What is tested on one of them alone is registered by `onlyOn`, under a key
// that has its row, with the reason, in docs/backends.md; and there is no other way to leave a test out.
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/temporary.ts';

const DOCUMENT = 'docs/backends.md';
const [BEGIN, END] = ['<!-- one backend only -->', '<!-- end one backend only -->'];

interface Row {
  readonly key: string;
  readonly backend: string;
  readonly reason: string;
}

async function rows(): Promise<Row[]> {
  const text = await readFile(path.join(ROOT, DOCUMENT), 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${DOCUMENT} has no section between ${BEGIN} and ${END}`);
  const cells = text
    .slice(from, to)
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  // The first two lines are the head of the table.
  return cells.slice(2).map(([, key = '', backend = '', reason = '']) => ({ key, backend, reason }));
}

/** The test files that run on both backends, and what they say. */
async function sources(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const folder of ['test/spec', 'test/node', 'test/support']) {
    for (const file of await readdir(path.join(ROOT, folder))) {
      if (!file.endsWith('.ts')) continue;
      const name = `${folder}/${file}`;
      found.set(name, await readFile(path.join(ROOT, name), 'utf8'));
    }
  }
  found.delete('test/support/backend.ts');
  return found;
}

async function used(): Promise<{ key: string; backend: string; file: string }[]> {
  return [...(await sources())].flatMap(([file, text]) => {
    const uses = [...text.matchAll(/\bonlyOn\(\s*'(asyncify|jspi)',\s*(?:'([^']+)'|"([^"]+)")/g)];
    expect(uses.length, `${file}: backend and key of every onlyOn() are literals`).toBe(
      text.match(/\bonlyOn\(/g)?.length ?? 0,
    );
    return uses.map(([, backend = '', single, double]) => ({ key: single ?? double ?? '', backend, file }));
  });
}

test('the table has a row for every key, each with one backend and a reason', async () => {
  const table = await rows();
  expect(table.length).toBeGreaterThan(0);
  for (const { key, backend, reason } of table) {
    expect(backend, key).toMatch(/^(Asyncify|JSPI)$/);
    expect(reason.split(' ').length, `the reason of '${key}'`).toBeGreaterThan(5);
  }
  const keys = table.map(({ key, backend }) => `${key} (${backend.toLowerCase()})`);
  expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([]);
  const uses = await used();
  const unexplained = uses.filter(({ key, backend }) => !keys.includes(`${key} (${backend})`));
  expect(unexplained, `keys without a row in ${DOCUMENT}`).toEqual([]);
});

test('every row of the table is used', async () => {
  const uses = new Set((await used()).map(({ key, backend }) => `${key} (${backend})`));
  const unused = (await rows()).filter(({ key, backend }) => !uses.has(`${key} (${backend.toLowerCase()})`));
  expect(unused, `rows of ${DOCUMENT} that no test has`).toEqual([]);
});

test('nothing else decides which tests there are on a backend', async () => {
  // What compilers are missing for is skipped by skipIf(!has...), which a run with FIBERS_FORBID_SKIPS does not accept.
  const ways: readonly (readonly [string, RegExp])[] = [
    ['skips', /\.(?:skip|todo|fails|runIf)\(|\bskipIf\((?!!(?:\(await )?has)/],
    [
      'asks for the backend',
      /\{[^}]*\bbackend\b[^}]*\} from '[./a-z]*backend\.ts'[^]*(?:\bbackend\s*[!=]==|[!=]==\s*backend\b)/,
    ],
    ['asks for the backend', /inject\('backend'\)/],
    ['has other tests by backend', /\beach\(\s*perBackend\b/],
  ];
  const found = [...(await sources())].flatMap(([file, text]) =>
    ways.filter(([, pattern]) => pattern.test(text)).map(([what]) => `${file} ${what}`),
  );
  expect(found).toEqual([]);
});
