// For test/node/tasks-leaks.test.ts: `node --expose-gc tasks.mjs <backend>` prints what a task of the guest library leaves behind.
import { readFile } from 'node:fs/promises';
import { instantiate } from 'wasm-fibers/assemblyscript';

const backend = process.argv[2];
const file = { asyncify: 'tasks-O3.wasm', jspi: 'tasks-O3.jspi.wasm' }[backend];
const source = readFile(new URL(`../../../build/guests/typed/${file}`, import.meta.url));
const guest = await instantiate(source, { env: { say: () => undefined, wait: (x) => x } }, { backend });
const TASKS = 40_000;

const settle = async () => {
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    guest.sync.collect();
    globalThis.gc();
  }
  return process.memoryUsage().heapUsed;
};

for (let i = 0; i < 2; i++) await guest.exports.churn(TASKS);
const growths = [];
const pages = guest.sync.used();
for (let i = 0; i < 3; i++) {
  const before = await settle();
  await guest.exports.churn(TASKS);
  growths.push(((await settle()) - before) / TASKS);
}
growths.sort((a, b) => a - b);
console.log(
  JSON.stringify({ bytesPerTask: growths[1], pages: guest.sync.used() - pages, fibers: guest.fibers.length }),
);
