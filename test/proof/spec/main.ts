/**
 * `npm run spec-tests -- PATH`: the WebAssembly specification tests, instrumented, with waits in the middle of them. PATH is a
 * checkout of WebAssembly/spec, its test/core, or WebAssembly/testsuite.
 *
 *   npm run spec-tests -- ../spec                           all, at every level, in every way that this engine can run
 *   npm run spec-tests -- ../spec --only linking --level -O1,-Oz --way jumps
 *   npm run spec-tests -- ../spec --jobs 2 --json
 *
 * What is claimed of a module is tried on it as it is; what holds must hold instrumented (see probes.ts for where it waits, and
 * judge.ts for what counts). What cannot be tried is not applicable, and counted by reason. Exits with 1 if anything failed.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { share } from '../processes.ts';
import { ALL_LEVELS, possibleWays } from '../variants.ts';
import { Totals } from './totals.ts';
import type { Tally } from './judge.ts';
import type { Task } from './worker.ts';
import type { Form } from './world.ts';

const { values: options, positionals } = parseArgs({
  // A level looks like an option.
  args: process.argv.slice(2).map((each, at, all) => (all[at - 1] === '--level' ? `=${each}` : each)),
  allowPositionals: true,
  options: {
    level: { type: 'string' },
    way: { type: 'string' },
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}

/** What a list names, or all. */
function chosen<T extends string>(name: 'level' | 'way', all: readonly T[]): T[] {
  const words = options[name]?.replace(/^=/, '').split(',') ?? all;
  for (const word of words) {
    if (!(all as readonly string[]).includes(word)) fail(`--${name}: there is no ${word}; there are ${all.join(', ')}`);
  }
  return all.filter((each) => words.includes(each));
}

/** The scripts under a checkout. Proposals of the testsuite have a folder each, and are left out. */
function scripts(root: string): string[] {
  const core = path.join(root, 'test/core');
  const folder = existsSync(core) ? core : root;
  if (!existsSync(folder) || !statSync(folder).isDirectory()) fail(`${folder} is no folder`);
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.wast') && !/^(?:proposals|custom)\b/.test(file))
    .sort()
    .map((file) => path.join(folder, file));
}

const [root, ...rest] = positionals;
if (root === undefined || rest.length > 0) fail('Name one folder: a checkout of WebAssembly/spec.');
const only = options.only?.split(',') ?? [''];
const files = scripts(root).filter((file) => only.some((each) => file.includes(each)));
if (files.length === 0)
  fail(
    `There are no scripts (*.wast) in ${root}${options.only === undefined ? '' : ` with ${options.only} in their names`}.`,
  );
const ways = chosen('way', possibleWays());
const levels = chosen('level', ALL_LEVELS);
const forms: Form[] = ways.flatMap((way) => levels.map((level) => ({ level, way })));
const totals = new Totals(root, forms);
const worker = fileURLToPath(new URL('worker.js', import.meta.url));
const tasks = files.map((file): Task => ({ file, forms, seed: Number(options.seed) }));
const progress = process.stdout.isTTY && !options.json;
let ended = 0;

await share<Task, readonly Tally[]>(worker, Number(options.jobs), tasks.values(), ({ file }, done) => {
  if ('result' in done) totals.add(file, done.result);
  else totals.lose(file, `${done.phase}: ${done.lost}`);
  ended += 1;
  if (progress) process.stdout.write(`\r\x1b[K${ended} of ${files.length} scripts; ${totals.line()}`);
});
if (progress) process.stdout.write('\r\x1b[K');
console.log(options.json ? JSON.stringify(totals.toJSON(), null, 2) : totals.text());
process.exitCode = totals.failed > 0 || totals.passed === 0 ? 1 : 0;
