// The test runner behind `npm test`: builds, then runs Vitest once per environment, each in a process of its own, and
// ends with one line that counts them all: `N passed, N failed`.
//
//   npm test -- --only node,chromium spec/cancel     some environments, some files
//   npm test -- --only node                          this machine's Node: the tools, and everything else
//   npm test -- --only node26-jspi                   one environment: a runtime and a backend
//   npm test -- --only jspi                          all environments of a backend
//   npm test -- --list                               what there is, and runs nothing
//   npm test -- --no-build                           with what is in build/ as it is
//   npm test -- --lanes 1                            one environment after the other; otherwise three at once on two cores
//   FIBERS_FORBID_SKIPS=1 npm test                   whatever could not run is a failure (CI)
//
// What holds: nothing is left out silently. An environment that is missing here, a guest that could not be built and
// a test that was skipped are each named in a line that starts with 'skipped:'. No test executed is a failure. What an
// environment has printed stands together, under its title; what failed is said once more before the last line, because
// of long output often only the end is kept.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { ENVIRONMENTS, NODES, NODES_INSTALLED, SLOW_ENVIRONMENTS, machineNode } from './environments/list.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const REPORTS = path.join(ROOT, 'build/test-reports');
/** A hung environment must not eat the time of the others. Milliseconds; slow tests may take an hour. */
const LIMIT = 16 * 60_000;
const SLOW_LIMIT = 60 * 60_000;
/** Binaryen and asc are done before an engine that optimises them has gained anything: half of the time for small guests. */
const SHORT_LIVED = '--liftoff-only';

const { values: options, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    slow: { type: 'boolean' },
    lanes: { type: 'string' },
    list: { type: 'boolean' },
    'no-build': { type: 'boolean' },
  },
});

const total = { passed: 0, failed: 0, skips: [], failures: [] };
const seconds = [];

/** Where lines go: at once to the terminal, or into a list that is printed when an environment has ended. */
const terminal = { write: (text) => void process.stdout.write(text) };
const line = (out, text) => out.write(`${text}\n`);

function skip(out, text) {
  line(out, text);
  total.skips.push(text);
}

function fail(out, text) {
  line(out, `FAILED: ${text}`);
  total.failed++;
  total.failures.push(text);
}

/** What is to end when this process is told to, and what has been said in environments that have not ended. */
const running = new Set();
const unprinted = new Set();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const end of running) end();
    for (const printed of unprinted) process.stdout.write(printed.join(''));
    process.exit(130);
  });
}

/** Runs a command in the root; resolves to its exit code and, unless it writes to the terminal itself, what it printed. */
function run(command, args, { env = {}, out = terminal, capture = out !== terminal, cwd = ROOT } = {}) {
  const limit = options.slow ? SLOW_LIMIT : LIMIT;
  return new Promise((resolve) => {
    // A process group of its own, so that browsers end with the run that started them.
    const output = capture ? 'pipe' : 'inherit';
    const stdio = ['ignore', output, output];
    const child = spawn(command, args, { cwd, detached: true, env: { ...process.env, ...env }, stdio });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk) => {
        printed += chunk;
        out.write(chunk);
      });
    }
    const endGroup = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    };
    running.add(endGroup);
    const timer = setTimeout(() => {
      fail(out, `${path.basename(command)} ${args[0]} ran for more than ${limit / 60_000} minutes and was stopped`);
      endGroup();
    }, limit);
    const done = (code) => {
      clearTimeout(timer);
      endGroup();
      running.delete(endGroup);
      resolve({ code, printed });
    };
    child.on('error', (error) => {
      line(out, String(error));
      done(127);
    });
    child.on('close', (code) => done(code ?? 1));
  });
}

/** Compiles TypeScript and guests; false if there is nothing sound to test. */
async function build() {
  console.log('\n== build');
  for (const [command, what] of [
    [['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], 'TypeScript does not compile'],
    [['build-pages.mjs'], 'the pages could not be built'],
  ]) {
    if ((await run(process.execPath, command)).code === 0) continue;
    fail(terminal, what);
    return false;
  }
  if (!existsSync(path.join(ROOT, 'test/guests/build.mjs'))) return true;
  console.log('\n== guests');
  const { code, printed } = await run(process.execPath, [SHORT_LIVED, 'test/guests/build.mjs'], { capture: true });
  total.skips.push(...printed.split('\n').filter((text) => text.startsWith('skipped:')));
  if (code !== 0) {
    fail(terminal, 'test/guests/build.mjs could not build the guests');
    return false;
  }
  if (!existsSync(path.join(ROOT, 'examples/build.mjs'))) return true;
  console.log('\n== examples');
  if ((await run(process.execPath, ['examples/build.mjs'])).code === 0) return true;
  fail(terminal, 'examples/build.mjs could not build the examples');
  return false;
}

/** The beginning of what Vitest says of a failure: enough to know what was expected. */
const excerpt = (message) => stripVTControlCharacters(message).split('\n').slice(0, 12).join('\n    ');

/** Adds up one environment's report and returns its failures; a file that did not load is a failure of its own. */
function count(report, title, out) {
  const failures = [];
  for (const file of report.testResults) {
    const where = `(${path.relative(ROOT, file.name)}, ${title})`;
    let failed = false;
    for (const test of file.assertionResults) {
      if (test.status === 'passed') total.passed++;
      else if (test.status !== 'failed') skip(out, `skipped: ${test.fullName} ${where}`);
      else {
        failed = true;
        failures.push(`${test.fullName} ${where}\n    ${excerpt(test.failureMessages.join('\n'))}`);
      }
    }
    if (!failed && file.status === 'failed') failures.push(`the file itself ${where}\n    ${excerpt(file.message)}`);
  }
  total.failed += failures.length;
  total.failures.push(...failures);
  return failures.length;
}

const titleOf = ({ title, effort }) =>
  effort < 1 ? `${title} (random tests do ${effort} of their iterations)` : title;

async function runEnvironment(environment, out) {
  const { name, title, config, remedy, find, env } = environment;
  line(out, `\n== ${titleOf(environment)}`);
  const found = find();
  if (found === undefined) return skip(out, `skipped: ${title}: ${remedy}`);
  const report = path.join(REPORTS, `${name}.json`);
  rmSync(report, { force: true });
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--config', config];
  args.push('--reporter=default', '--reporter=json', `--outputFile.json=${report}`);
  if (filters.length > 0) args.push('--passWithNoTests', ...filters);
  const started = performance.now();
  const { code } = await run(found.node, args, { env: { ...env, ...found.env }, out });
  seconds.push([title, (performance.now() - started) / 1000]);
  const failed = existsSync(report) ? count(JSON.parse(readFileSync(report, 'utf8')), title, out) : 0;
  // Errors outside any test, no tests at all, a crash: Vitest says so only by its exit code.
  if (code !== 0 && failed === 0) fail(out, `${title}: Vitest ended with code ${code} though no test failed`);
}

/** Runs the environments, so many at once; each one's output is printed as a whole when it has ended. */
async function runAll(environments, lanes) {
  if (lanes === 1 || environments.length === 1) {
    for (const environment of environments) await runEnvironment(environment, terminal);
    return;
  }
  const waiting = [...environments];
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const printed = [];
      unprinted.add(printed);
      line(terminal, `running: ${next.title}`);
      await runEnvironment(next, { write: (text) => void printed.push(text) });
      unprinted.delete(printed);
      process.stdout.write(printed.join(''));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** One more than there are cores: an environment waits a fifth of its time. More than three only wait for each other. */
function lanesGiven() {
  const lanes = Number(options.lanes ?? Math.min(3, os.availableParallelism() + 1));
  if (Number.isInteger(lanes) && lanes > 0) return lanes;
  console.error(`--lanes: ${options.lanes} is no number of environments to run at once`);
  return process.exit(2);
}

/** The environments that --only names, or all. */
function chosen() {
  const all = options.slow ? SLOW_ENVIRONMENTS : ENVIRONMENTS;
  if (options.only === undefined) return all;
  const terms = options.only.split(',').map((term) => (term === 'node' ? machineNode : term));
  const named = (term) => all.filter(({ name, runtime, backend }) => [name, runtime, backend].includes(term));
  const unknown = terms.filter((term) => named(term).length === 0);
  if (unknown.length > 0) {
    const known = all.map(({ name }) => name).join(', ');
    console.error(
      `--only: there is no environment ${unknown.join(', ')}; there are ${known}, their runtimes and backends, and node for this machine's`,
    );
    process.exit(2);
  }
  const wanted = new Set(terms.flatMap(named));
  return all.filter((each) => wanted.has(each));
}

const environments = chosen();
if (options.list) {
  for (const each of environments) console.log(`${each.name.padEnd(20)}${titleOf(each)}`);
  process.exit(0);
}
const lanes = lanesGiven();
mkdirSync(REPORTS, { recursive: true });
if (options['no-build'] || (await build())) {
  if (environments.some((each) => each.needsNodes) && !existsSync(NODES_INSTALLED)) {
    console.log('\n== other Nodes');
    await run('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: NODES });
  }
  await runAll(environments, lanes);
}

console.log('');
for (const [title, time] of seconds) console.log(`${(time / 60).toFixed(1).padStart(5)} min  ${title}`);
if (total.skips.length > 0) {
  console.log(`${total.skips.length} skipped:`);
  for (const line of total.skips) console.log(`  ${line}`);
  if (process.env.FIBERS_FORBID_SKIPS === '1') fail(terminal, 'FIBERS_FORBID_SKIPS is set, and the above was skipped');
}
if (total.passed + total.failed === 0) fail(terminal, 'no test was executed');
if (total.failures.length > 0) console.log(`${total.failures.length} failed:`);
for (const failure of total.failures) console.log(`  ${failure}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
