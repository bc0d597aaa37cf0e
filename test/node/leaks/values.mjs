// One measurement for test/node/values-leaks.test.ts: `node --expose-gc values.mjs <backend> <variant> <what>` prints what a round trip
// leaves on the host's heap and how far the guest's memory grew, after both have had what they need.
import { readFile } from 'node:fs/promises';
import { instantiate } from 'wasm-fibers/assemblyscript';

const [backend, variant, what] = process.argv.slice(2);
const extension = { asyncify: 'wasm', jspi: 'jspi.wasm' }[backend];
const file = new URL(`../../../build/guests/typed/values-${variant}.${extension}`, import.meta.url);
const wasm = await readFile(file);
const names = WebAssembly.Module.imports(new WebAssembly.Module(wasm))
  .filter(({ module, name }) => module === 'env' && /^(wait|plain)/.test(name))
  .map(({ name }) => name);
const wait = async (value) => value;
const env = Object.fromEntries(names.map((name) => [name, name === 'waitMixed' ? mixed : wait]));
async function mixed(text, strings, tree, bytes, big) {
  return { text, strings, tree, bytes, big };
}
const guest = await instantiate(wasm, { env }, { backend });

const tree = { value: 'top', children: [{ value: 'left', children: [] }] };
const points = [
  { x: 1, y: 2 },
  { x: 3, y: 4 },
];

/** Each gives the number of round trips. */
const rounds = {
  mixed: async () => {
    for (let i = 0; i < 50; i++) {
      const calls = Array.from({ length: 20 }, (_, j) =>
        guest.exports.mixed(`text ${i}`, ['a', `${j}`], tree, new Uint8Array(j), BigInt(j)),
      );
      await Promise.all(calls);
    }
    return 1000;
  },
  refused: async () => {
    for (let i = 0; i < 1000; i++) {
      const error = await guest.exports.throughPoints([...points, { x: i }]).catch((each) => each);
      if (!(error instanceof TypeError)) throw error;
    }
    return 1000;
  },
  // Nobody disposes of them.
  references: async () => {
    for (let i = 0; i < 1000; i++) guest.sync.increment(guest.sync.makeCounter(i));
    await new Promise((resolve) => setTimeout(resolve, 0));
    return 1000;
  },
};

const round = rounds[what];
const settle = async () => {
  for (let i = 0; i < 6; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return process.memoryUsage().heapUsed;
};
for (let i = 0; i < 5; i++) {
  await round();
  await settle();
}
const pages = guest.memory.buffer.byteLength;
const growths = [];
for (let stretch = 0; stretch < 3; stretch++) {
  const before = await settle();
  let cycles = 0;
  while (cycles < 34_000) {
    cycles += await round();
    // As a program that goes on for long has it: references are only released when the host collects.
    if (what === 'references') await settle();
  }
  growths.push(((await settle()) - before) / cycles);
}
growths.sort((a, b) => a - b);
console.log(JSON.stringify({ bytesPerCycle: growths[1], grown: guest.memory.buffer.byteLength - pages, growths }));
