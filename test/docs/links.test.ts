// Links between documents, and into the sources, lead somewhere.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/temporary.ts';

const DOCUMENTS = ['README.md'].concat(
  readdirSync(path.join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
);

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8').replaceAll(/^```[^]*?^```/gm, '');

/** A heading's anchor, as GitHub makes it. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

test.each(DOCUMENTS)('the links of %s', (document) => {
  const broken: string[] = [];
  for (const [, target = ''] of read(document).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^https?:/.test(target)) continue;
    const [file = '', fragment] = target.split('#');
    const linked = file === '' ? document : path.normalize(path.join(path.dirname(document), file));
    if (!existsSync(path.join(ROOT, linked))) broken.push(target);
    else if (fragment !== undefined) {
      const anchors = [...read(linked).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchor(heading));
      if (!anchors.includes(fragment)) broken.push(target);
    }
  }
  expect(broken).toEqual([]);
});
