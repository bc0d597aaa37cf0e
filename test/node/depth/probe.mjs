// Runs in a process or thread of its own, with as much stack as it was given: looks for the depth at which waiting fails
// for lack of engine stack, and reports what happened on both sides of it. Prints one line of JSON. Takes the backend and the
// export to go down in.
import { readFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { instantiate } from 'wasm-fibers';

const [, , backend, name] = process.argv;
const file = { asyncify: 'core.fibers.wasm', jspi: 'core.jspi.wasm' }[backend];
const unused = () => 0;
let suspended = false;
let waits = false;
const guest = await instantiate(
  readFileSync(new URL(`../../../build/guests/${file}`, import.meta.url)),
  {
    env: {
      wait: (x) => (waits ? Promise.resolve(x) : x),
      wait_i64: unused,
      wait_f64: unused,
      wait_void: unused,
      wait_pair: unused,
      call: unused,
      invoke_ii: unused,
      opaque: unused,
      note: unused,
    },
  },
  { backend, windowSize: 256, onEvent: ({ type }) => (suspended ||= type === 'suspend') },
);

/** 'ok', the code of the error, or what must never happen: a fiber that had suspended and could not resume. */
async function tryDepth(depth) {
  suspended = false;
  try {
    return (await guest.exports[name](depth, 1)) === depth + 1 ? 'ok' : 'wrong result';
  } catch (error) {
    return suspended ? `failed after it had suspended: ${error.code ?? error}` : error.code;
  }
}

// Hot code first, whose frames are the smallest: then the limit does not move while it is looked for. What suspends for the
// first time only now goes on in code that has never run.
for (let i = 0; i < 2000; i++) await tryDepth(300);
waits = true;
if (name === 'deep') for (let i = 0; i < 2000; i++) await tryDepth(300);
let good = 1000;
let bad = good;
while ((await tryDepth(bad)) === 'ok') [good, bad] = [bad, bad * 2];
while (bad - good > 32) {
  const middle = (good + bad) >> 1;
  if ((await tryDepth(middle)) === 'ok') good = middle;
  else bad = middle;
}
const outcomes = {};
for (let depth = good - 40; depth < bad + 20; depth++) {
  const outcome = await tryDepth(depth);
  outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
}
const after = await tryDepth(100);
const report = JSON.stringify({ limit: good, outcomes, after });
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port between threads has no origin
if (parentPort) parentPort.postMessage(report);
else console.log(report);
