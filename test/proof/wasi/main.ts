/**
 * `npm run wasi-tests -- PATH`: the conformance tests of WASI preview 1. PATH is a checkout of WebAssembly/wasi-testsuite, branch
 * prod/testsuite-base, which has the modules that it needs.
 *
 *   npm run wasi-tests -- ../wasi-testsuite                         every file system and provider, in every way that this engine can
 *   npm run wasi-tests -- ../wasi-testsuite --files memory,host --way jspi --only rust/poll
 *   npm run wasi-tests -- ../wasi-testsuite --browser chromium      the origin-private file system, in that browser
 *   npm run wasi-tests -- ../wasi-testsuite --json
 *
 * Prints a table, and why each test failed that did. Exits with 1 if one of our own file systems has fewer than --least (default
 * 70, or all that there are).
 */
import { parseArgs } from 'node:util';
import { runInBrowser } from './browser.ts';
import { WAYS, type Way, moduleFor } from './modules.ts';
import { type FoundTest, findTests } from './suite.ts';
import { SYSTEMS, type System, freshFiles } from './systems.ts';
import { trial } from './trial.ts';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    files: { type: 'string' },
    way: { type: 'string' },
    only: { type: 'string' },
    browser: { type: 'string' },
    least: { type: 'string', default: '70' },
    json: { type: 'boolean', default: false },
  },
});

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}

/** What a list names, or what is usual. */
function chosen<T extends string>(name: 'files' | 'way', all: readonly T[], usual: readonly T[] = all): T[] {
  const words = options[name]?.split(',') ?? usual;
  for (const word of words) {
    if (!(all as readonly string[]).includes(word)) fail(`--${name}: there is no ${word}; there are ${all.join(', ')}`);
  }
  return all.filter((each) => words.includes(each));
}

/** One line of the table. */
interface Row {
  readonly system: System | 'browser';
  readonly way: Way;
  readonly passed: number;
  readonly failures: Readonly<Record<string, string>>;
}

const [root, ...rest] = positionals;
if (root === undefined || rest.length > 0) fail('Name one folder: a checkout of WebAssembly/wasi-testsuite.');
const tests = findTests(root).filter(({ name }) => name.includes(options.only ?? ''));
if (tests.length === 0)
  fail(`There are no tests of preview 1 in ${root}${options.only === undefined ? '' : ` named ${options.only}`}.`);

const hasJspi = 'Suspending' in WebAssembly;
const possible = WAYS.filter((way) => way === 'asyncify' || hasJspi || options.browser !== undefined);
const ways = chosen('way', WAYS, possible);

function rowOf(system: Row['system'], way: Way, outcomes: readonly (readonly [FoundTest, string | null])[]): Row {
  const failures = outcomes.flatMap(([{ name }, wrong]) => (wrong === null ? [] : [[name, wrong] as const]));
  return { system, way, passed: outcomes.length - failures.length, failures: Object.fromEntries(failures) };
}

async function runHere(test: FoundTest, system: System, way: Way): Promise<string | null> {
  const fresh = await freshFiles(system, test.root);
  try {
    return await trial(test, await moduleFor(test.file, way), fresh.options);
  } catch (error) {
    return `it could not be instrumented: ${String(error)}`;
  } finally {
    fresh.remove();
  }
}

const rows: Row[] = [];
for (const way of ways) {
  if (options.browser !== undefined) {
    const outcomes = await runInBrowser(options.browser, tests, way);
    rows.push(rowOf('browser', way, outcomes));
    continue;
  }
  for (const system of chosen('files', SYSTEMS)) {
    const outcomes: (readonly [FoundTest, string | null])[] = [];
    for (const test of tests) outcomes.push([test, await runHere(test, system, way)]);
    rows.push(rowOf(system, way, outcomes));
  }
}

if (options.json) console.log(JSON.stringify({ tests: tests.length, rows }, null, 2));
else {
  console.log(`${'files'.padEnd(12)}${'way'.padEnd(10)}passed of ${tests.length}`);
  for (const { system, way, passed } of rows) console.log(`${system.padEnd(12)}${way.padEnd(10)}${passed}`);
  for (const { system, way, failures } of rows) {
    for (const [name, wrong] of Object.entries(failures)) console.log(`\n${name} (${system}, ${way})\n  ${wrong}`);
  }
}
const least = Math.min(Number(options.least), tests.length);
const others: readonly string[] = ['wasmer', 'shim', 'node'];
process.exitCode = rows.some(({ system, passed }) => !others.includes(system) && !(passed >= least)) ? 1 : 0;
