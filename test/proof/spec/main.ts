/** `npm run spec-tests -- PATH`: see HELP; probes.ts for where modules wait, and judge.ts for what counts. */
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

const HELP = `npm run spec-tests -- PATH [options]

The WebAssembly specification tests, instrumented, with waits in the middle of them: at the entry of functions, in loops and
in front of some instructions, whatever is on the operand stack there. What a script claims of a module is tried on the module
as it is; what holds must hold in every instrumented form. PATH is a checkout of WebAssembly/spec, its folder test/core, or
WebAssembly/testsuite, whose proposals are left out.

  --level L      -O0 to -O4, -Os, -Oz, several between commas; all of them if not given
  --way W        jumps (as functions are rewritten unless one asks for something else), asyncify (Binaryen's pass), jspi
                 (where the engine has it); several between commas; all that this engine can run if not given
  --only TEXT    the scripts with this in their names; several between commas
  --seed S       another one waits elsewhere; 1 if not given
  --jobs N       so many processes at once; 1 if not given
  --json         the result for programs
  --help         this

  git clone --depth 1 https://github.com/WebAssembly/testsuite ../testsuite
  npm run spec-tests -- ../testsuite
  npm run spec-tests -- ../testsuite --only linking,memory_copy --level -O1,-Oz --way jumps

The end is a line for each form, and 'N passed, M failed, K not applicable' with the reasons: what is no code that runs, what the
engine or the assembler does not know, what is refused by name. Exit codes: 0 nothing failed, 1 something did or nothing
passed, 2 usage.`;

const { values: options, positionals } = readOptions();
if (options.help === true) {
  console.log(HELP);
  process.exit(0);
}

function readOptions() {
  const string = { type: 'string' } as const;
  try {
    return parseArgs({
      // A level looks like an option.
      args: process.argv.slice(2).map((each, at, all) => (all[at - 1] === '--level' ? `=${each}` : each)),
      allowPositionals: true,
      options: {
        level: string,
        way: string,
        only: string,
        seed: { ...string, default: '1' },
        jobs: { ...string, default: '1' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
  }
}

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
if (root === undefined || rest.length > 0)
  fail(`Name one folder: a checkout of WebAssembly/testsuite or WebAssembly/spec.\n\n${HELP}`);
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
