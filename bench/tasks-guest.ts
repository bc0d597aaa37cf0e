/** The guest of the row on tasks: the same exchanges as tasks-js.ts has, by the guest library. Compiled by the transform. */
import { main } from 'assemblyscript/asc';
import { fileURLToPath } from 'node:url';
import { readFileSync, writeFileSync } from 'node:fs';
import { wasmFibers } from '../host/assemblyscript/transform/index.ts';

const TARGET = new URL('../guests/bench/tasks.wasm', import.meta.url);

const TEXT = `
import { Channel, Lock, spawn, Task, waitAll, yield_ } from 'wasm-fibers/assembly';

function same(x: i32): i32 {
  return x;
}

export function joins(n: i32): i32 {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += spawn(same, i).result();
  return sum;
}

function yielding(n: i32): void {
  for (let i = 0; i < n; i++) yield_();
}

export function yields(n: i32): void {
  waitAll([spawn(yielding, n >> 1), spawn(yielding, n >> 1)]);
}

class Sender {
  constructor(
    readonly channel: Channel<i32>,
    readonly n: i32,
  ) {}
}

function sending(sender: Sender): void {
  for (let i = 0; i < sender.n; i++) sender.channel.send(i);
  sender.channel.close();
}

export function messages(n: i32, capacity: i32): i32 {
  const channel = new Channel<i32>(capacity);
  spawn(sending, new Sender(channel, n));
  let sum = 0;
  for (let next = channel.receive(); next.ok; next = channel.receive()) sum += next.value;
  return sum;
}

const lock = new Lock();

function locking(n: i32): void {
  for (let i = 0; i < n; i++) {
    lock.acquire();
    yield_();
    lock.release();
  }
}

export function handovers(n: i32): void {
  waitAll([spawn(locking, n >> 1), spawn(locking, n >> 1)]);
}
`;

export async function buildTasksGuest(): Promise<void> {
  const argv = ['tasks.ts', '-O3', '--outFile', 'tasks.wasm'];
  let wasm: Uint8Array | undefined;
  const { error, stderr } = await main(argv, {
    // asc takes classes, which its types do not say.
    transforms: [wasmFibers({ argv }) as never],
    readFile: (name) => (name === 'tasks.ts' ? TEXT : null),
    writeFile(name, contents) {
      if (name === 'tasks.wasm' && typeof contents !== 'string') wasm = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || wasm === undefined) throw new Error(`asc could not compile the guest:\n${stderr.toString()}`);
  writeFileSync(fileURLToPath(TARGET), wasm);
}

export function loadTasks(): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(TARGET));
}
