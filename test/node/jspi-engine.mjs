// Runs modules instrumented for JSPI on the engine that this process has: `node jspi-engine.mjs SCENARIO FILE` prints what the
// scenario found, as JSON. The host in here is the smallest that can be: instrument-jspi-engine.test.ts has the expectations.
import { readFileSync } from 'node:fs';

const [, , scenario, file] = process.argv;
const { promising, Suspending } = WebAssembly;

/** Everything that happened, in order. */
const log = [];
/** By token: what the host function returned, then what came of it. */
const waits = new Map();
let tokens = 0;
let current = null;

/** What a host function returns beside a token, where `undefined` is no such value. */
const placeholders = { pair: [0, 0n], struct: null };

/** What is each call's own, put back first of all when it goes on. */
let perCall = { save: () => undefined, restore: () => {} };

const wrap =
  (name, own) =>
  (...args) => {
    const value = own(...args);
    if (!(value instanceof Promise)) return value;
    const token = ++tokens;
    waits.set(token, { promise: value, saved: perCall.save(), name });
    current = token;
    guest['wasm-fibers.set_pending'](token);
    return placeholders[name];
  };

function suspend() {
  const wait = waits.get(current);
  return wait.promise.then(
    (value) => void (wait.value = value),
    (error) => void (wait.error = { error }),
  );
}

function arrive(token) {
  const wait = waits.get(token);
  // Half of all waits are said to be not over, and go on under the same token.
  if ((wait.asked = !wait.asked) && token % 2 === 1) {
    current = token;
    guest['wasm-fibers.set_pending'](token);
    return placeholders[wait.name];
  }
  waits.delete(token);
  perCall.restore(wait.saved);
  log.push(`arrive at ${wait.name}`);
  if (wait.error) throw wait.error.error;
  return wait.value;
}

const module = new WebAssembly.Module(readFileSync(file));
const imports = {};
let guest;

function start(host) {
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    const into = (imports[from] ??= {});
    if (from !== 'wasm-fibers') into[name] = wrap(name, host[name]);
    else if (name === 'suspend') into[name] = new Suspending(suspend);
    else if (name.startsWith('arrive.')) into[name] = arrive;
    else if (name.startsWith('returned.')) into[name] = (...results) => void log.push(`returned ${results.join()}`);
    else
      into[name] = (pointer) => {
        throw new Error(`overflow at ${pointer}`);
      };
  }
  guest = new WebAssembly.Instance(module, imports).exports;
}

const later = (value, turns = 1) => {
  let promise = Promise.resolve(value);
  for (let turn = 1; turn < turns; turn++) promise = promise.then((each) => each);
  return promise;
};
const run = (name, ...args) => promising(guest[name])(...args);
const show = (value) => (typeof value === 'bigint' ? `${value}n` : Array.isArray(value) ? value.map(show) : value);

const SCENARIOS = {
  /** Tail calls, try_table, references across a wait, call_ref, results that cannot be null. */
  async everything() {
    const object = { mark: 1 };
    start({
      sleep: (n) => (n < 0 ? Promise.reject(new Error(`below zero: ${n}`)) : later(n * 2)),
      object: () => later(object),
      pair: () => later([7, 8n]),
      struct: (plain) => (plain ? guest.make(5) : later(guest.make(6))),
      is: (value) => Number(value === object),
    });
    return {
      tail: await run('tail', 5),
      tailIndirect: await run('tail_indirect', 6),
      deepTail: await run('deep_tail', 100_000),
      caught: [await run('caught', -4), await run('caught', 4)],
      uncaught: await run('tail', -1).catch((error) => error.message),
      held: await run('held'),
      byReference: await run('by_reference', 3),
      filled: await run('filled', 4),
      structs: show(await run('structs')),
      definite: [(await run('definite')) === object, await run('definite_struct', 1), await run('definite_struct', 0)],
    };
  },
  /** Two calls that end out of order, each with a pointer of its own, with code of the guest in between. */
  async concurrent() {
    const settle = [];
    start({
      sleep: (n) => new Promise((resolve) => (settle[n] = () => resolve(n * 100))),
      note: (n) => void log.push(`note ${n}`),
    });
    perCall = {
      save: () => guest['wasm-fibers.get_stack'](),
      restore: (pointer) => guest['wasm-fibers.set_stack'](pointer, 0, 65_536),
    };
    const enter = (n, top) => {
      guest['wasm-fibers.set_stack'](top, top - 4096, top);
      return run('frame', n);
    };
    const first = enter(1, 20_000);
    const second = enter(2, 30_000);
    const third = enter(3, 40_000);
    settle[2]();
    const results = [await second];
    settle[3]();
    results.push(await third);
    settle[1]();
    results.push(await first);
    return { results, log };
  },
  /** A plain value costs no turn of the event loop, and is fit for a call that cannot wait. */
  async plain() {
    start({ sleep: (n) => n + 1 });
    const direct = guest.tail(4);
    let turns = 0;
    const counting = (async () => {
      for (;;) {
        await Promise.resolve();
        turns += 1;
        if (turns > 1000) return;
      }
    })();
    const many = await run('many', 500);
    const seen = turns;
    await counting;
    return { direct, many, fewTurns: seen < 10 };
  },
  /** Stores to the pointer inside a try_table are checked like any other. */
  async hidden() {
    start({ sleep: (n) => later(n) });
    guest['wasm-fibers.set_stack'](20_000, 16_000, 20_000);
    return {
      fine: await run('hidden', 100),
      overflow: await run('hidden', 8_000).catch((error) => error.message),
    };
  },
  /** What the exports of an AssemblyScript guest return is told before they return. */
  async entries() {
    start({ sleep: (n) => later(n) });
    const both = await Promise.all([run('wasm-fibers.enter.one', 1), run('wasm-fibers.enter.one', 2)]);
    return { both, log };
  },
};

process.stdout.write(JSON.stringify(await SCENARIOS[scenario]()));
