// Runs one example, or says which there are.
//
//   npm run example
//   npm run example 02
//   npm run example 02 -- --workers 3
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [wanted, ...args] = process.argv.slice(2);
const here = (path) => new URL(path, import.meta.url);
const names = readdirSync(here('.'))
  .filter((name) => existsSync(here(`${name}/main.ts`)))
  .toSorted();
const name = wanted === undefined ? undefined : names.find((each) => each.startsWith(wanted));

if (name === undefined) {
  const say = wanted === undefined ? console.log : console.error;
  if (wanted !== undefined) say(`There is no example ${wanted}.`);
  say('npm run example NUMBER, one of');
  for (const each of names) {
    // The first paragraph of what the program says of itself.
    const [text] = /^(?:\/\/ .*\n)+/.exec(readFileSync(here(`${each}/main.ts`), 'utf8')) ?? [''];
    say(`\n  ${each}\n${text.trimEnd().replaceAll(/^\/\/ /gm, '    ')}`);
  }
  if (wanted !== undefined) process.exitCode = 2;
} else {
  const program = here(`../build/examples/${name}/main.js`);
  process.argv = [process.execPath, fileURLToPath(program), ...args];
  await import(program.href);
}
