// The test runner behind `npm test`: builds, then runs Vitest once per environment, each in a process of its own, and
// ends with one line that counts them all: `N passed, N failed`.
//
//   npm test -- --only node,chromium spec/cancel     some environments, some files
//   npm test -- --no-build                           with what is in build/ as it is
//   FIBERS_FORBID_SKIPS=1 npm test                   whatever could not run is a failure (CI)
//
// What holds: nothing is left out silently. An environment that is missing here, a guest that could not be built and
// a test that was skipped are each named in a line that starts with 'skipped:'. No test executed is a failure.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ENVIRONMENTS, NODES, NODES_INSTALLED, SLOW_ENVIRONMENTS, machineNode } from './environments/list.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const REPORTS = path.join(ROOT, 'build/test-reports');
/** A hung environment must not eat the time of the others. Milliseconds; slow tests may take an hour. */
const LIMIT = 8 * 60_000;
const SLOW_LIMIT = 60 * 60_000;

const { values: options, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, slow: { type: 'boolean' }, 'no-build': { type: 'boolean' } },
});

const total = { passed: 0, failed: 0, skips: [] };

function skip(line) {
  console.log(line);
  total.skips.push(line);
}

function fail(line) {
  console.log(`FAILED: ${line}`);
  total.failed++;
}

/** Runs a command in the root; resolves to its exit code and, where captured, what it printed. */
function run(command, args, { env = {}, capture = false, cwd = ROOT } = {}) {
  const limit = options.slow ? SLOW_LIMIT : LIMIT;
  return new Promise((resolve) => {
    // A process group of its own, so that browsers end with the run that started them.
    const stdio = ['ignore', capture ? 'pipe' : 'inherit', 'inherit'];
    const child = spawn(command, args, { cwd, detached: true, env: { ...process.env, ...env }, stdio });
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk) => {
      output += chunk;
      process.stdout.write(chunk);
    });
    const endGroup = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    };
    const interrupt = () => {
      endGroup();
      process.exit(130);
    };
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    const timer = setTimeout(() => {
      fail(`${path.basename(command)} ${args[0]} ran for more than ${limit / 60_000} minutes and was stopped`);
      endGroup();
    }, limit);
    const done = (code) => {
      clearTimeout(timer);
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
      endGroup();
      resolve({ code, output });
    };
    child.on('error', (error) => {
      console.log(String(error));
      done(127);
    });
    child.on('close', (code) => done(code ?? 1));
  });
}

/** Compiles TypeScript and guests; false if there is nothing sound to test. */
async function build() {
  console.log('\n== build');
  if ((await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'])).code !== 0) {
    fail('TypeScript does not compile');
    return false;
  }
  if (!existsSync(path.join(ROOT, 'test/guests/build.mjs'))) return true;
  console.log('\n== guests');
  const { code, output } = await run(process.execPath, ['test/guests/build.mjs'], { capture: true });
  total.skips.push(...output.split('\n').filter((line) => line.startsWith('skipped:')));
  if (code !== 0) {
    fail('test/guests/build.mjs could not build the guests');
    return false;
  }
  if (!existsSync(path.join(ROOT, 'examples/build.mjs'))) return true;
  console.log('\n== examples');
  if ((await run(process.execPath, ['examples/build.mjs'])).code === 0) return true;
  fail('examples/build.mjs could not build the examples');
  return false;
}

/** Adds up one environment's report and returns its failures; a file that did not load is a failure of its own. */
function count(report, title) {
  let failed = 0;
  for (const file of report.testResults) {
    const failures = file.assertionResults.filter((test) => test.status === 'failed').length;
    failed += failures === 0 && file.status === 'failed' ? 1 : failures;
    for (const test of file.assertionResults) {
      if (test.status === 'passed') total.passed++;
      else if (test.status !== 'failed') {
        skip(`skipped: ${test.fullName} (${path.relative(ROOT, file.name)}, ${title})`);
      }
    }
  }
  total.failed += failed;
  return failed;
}

async function runEnvironment({ name, title, config, remedy, find }) {
  console.log(`\n== ${title}`);
  const found = find();
  if (found === undefined) return skip(`skipped: ${title}: ${remedy}`);
  const report = path.join(REPORTS, `${name}.json`);
  rmSync(report, { force: true });
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--config', config];
  args.push('--reporter=default', '--reporter=json', `--outputFile.json=${report}`);
  if (filters.length > 0) args.push('--passWithNoTests', ...filters);
  const { code } = await run(found.node, args, { env: found.env });
  const failed = existsSync(report) ? count(JSON.parse(readFileSync(report, 'utf8')), title) : 0;
  // Errors outside any test, no tests at all, a crash: Vitest says so only by its exit code.
  if (code !== 0 && failed === 0) fail(`${title}: Vitest ended with code ${code} though no test failed`);
}

/** The environments that --only names, or all. */
function chosen() {
  const all = options.slow ? SLOW_ENVIRONMENTS : ENVIRONMENTS;
  if (options.only === undefined) return all;
  const names = options.only.split(',').map((name) => (name === 'node' ? machineNode : name));
  const unknown = names.filter((name) => !all.some((each) => each.name === name));
  if (unknown.length > 0) {
    const known = all.map((each) => each.name).join(', ');
    console.error(
      `--only: there is no environment ${unknown.join(', ')}; there are ${known}, and node for this machine's`,
    );
    process.exit(2);
  }
  return all.filter((each) => names.includes(each.name));
}

const environments = chosen();
mkdirSync(REPORTS, { recursive: true });
if (options['no-build'] || (await build())) {
  if (environments.some((each) => each.needsNodes) && !existsSync(NODES_INSTALLED)) {
    console.log('\n== other Nodes');
    await run('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: NODES });
  }
  for (const environment of environments) await runEnvironment(environment);
}

console.log('');
if (total.skips.length > 0) {
  console.log(`${total.skips.length} skipped:`);
  for (const line of total.skips) console.log(`  ${line}`);
  if (process.env.FIBERS_FORBID_SKIPS === '1') fail('FIBERS_FORBID_SKIPS is set, and the above was skipped');
}
if (total.passed + total.failed === 0) fail('no test was executed');
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
