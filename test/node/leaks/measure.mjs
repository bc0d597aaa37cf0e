// One measurement for test/node/leaks.test.ts: `node --expose-gc measure.mjs <backend> <what>` prints what a cycle leaves on
// the heap.
import { getEventListeners } from 'node:events';
import { readFile } from 'node:fs/promises';
import { instantiate, reentrant } from 'wasm-fibers';

const [backend, what] = process.argv.slice(2);
const file = { asyncify: 'core.fibers.wasm', jspi: 'core.jspi.wasm' }[backend];
const module = await WebAssembly.compile(await readFile(new URL(`../../../build/guests/${file}`, import.meta.url)));
const warnings = [];
process.on('warning', (warning) => warnings.push(String(warning)));
const controller = new AbortController();

async function make(wait, options = {}) {
  const at = (fn) => guest.exports.table.get(fn);
  const env = {
    wait,
    wait_i64: wait,
    wait_f64: wait,
    wait_void: wait,
    wait_pair: wait,
    call: reentrant(function* (call, fn, x) {
      return yield call(at(fn), x);
    }),
    invoke_ii: (fn, x) => at(fn)(x),
    opaque: (fn, x) => at(fn)(x),
    note: (x) => x,
  };
  const guest = await instantiate(module, { env }, { ...options, backend });
  return guest;
}

const value = () => Promise.resolve(1);
const never = () => new Promise(() => undefined);

/** Each gives the number of cycles of one round. */
const rounds = {
  suspend: async () => {
    const guest = await make(value);
    return async () => {
      await guest.exports.loop(20_000);
      return 20_000;
    };
  },
  interleave: async () => {
    const guests = [await make(value, { windowSize: 64 }), await make(value, { windowSize: 64 })];
    return async () => {
      await Promise.all(Array.from({ length: 10 }, (_, i) => guests[i % 2].exports.loop(2000)));
      return 20_000;
    };
  },
  enter: async () => {
    const guest = await make(value);
    return async () => {
      for (let i = 0; i < 5000; i++) await guest.exports.once(i);
      return 5000;
    };
  },
  spawn: async () => {
    const guest = await make(value);
    return async () => {
      for (let i = 0; i < 5000; i++) await guest.spawn('deep', [i % 9, 1], { name: 'x' }).result;
      return 5000;
    };
  },
  cancel: async () => {
    const guest = await make(never);
    return async () => {
      for (let i = 0; i < 2000; i++) {
        const fiber = guest.spawn('deep', [i % 9, 1]);
        void fiber.signal;
        fiber.cancel(i);
        await fiber.result.catch(() => undefined);
      }
      return 2000;
    };
  },
  timeout: async () => {
    const guest = await make(value);
    return async () => {
      for (let i = 0; i < 2000; i++) await guest.spawn('once', [1], { timeout: 1_000_000 }).result;
      return 2000;
    };
  },
  reject: async () => {
    const error = new Error('no');
    const guest = await make(() => Promise.reject(error));
    return async () => {
      for (let i = 0; i < 2000; i++) await guest.exports.deep(i % 9, 1).catch(() => undefined);
      return 2000;
    };
  },
  trap: async () => {
    const guest = await make(value);
    return async () => {
      for (let i = 0; i < 2000; i++) await guest.exports.trap_after(1).catch(() => undefined);
      return 2000;
    };
  },
  signal: async () => {
    const guest = await make(value);
    const { signal } = controller;
    return async () => {
      for (let i = 0; i < 20; i++) {
        await Promise.all(Array.from({ length: 100 }, () => guest.spawn('once', [1], { signal }).result));
      }
      return 2000;
    };
  },
  generator: async () => {
    const guest = await make(value);
    return async () => {
      for (let i = 0; i < 2000; i++) await guest.exports.through_call(1, 1);
      return 2000;
    };
  },
  sync: async () => {
    const guest = await make(value);
    return async () => {
      for (let i = 0; i < 2000; i++) guest.sync.plus_one(i);
      await guest.exports.once(1);
      return 2000;
    };
  },
  abandoned: async () => async () => {
    for (let i = 0; i < 100; i++) {
      const guest = await make(never, { onEvent: () => undefined, slowAfter: 1 });
      guest.spawn('deep', [3, 1]);
    }
    // Until each of them has been told to last too long.
    await new Promise((resolve) => setTimeout(resolve, 200));
    return 100;
  },
  guests: async () => async () => {
    for (let i = 0; i < 200; i++) {
      const guest = await make(never, { signal: controller.signal });
      guest.spawn('deep', [3, 1], { signal: controller.signal });
      await guest.dispose();
    }
    return 200;
  },
};

const last = async (guest) => {
  await guest.exports.plus_one(1);
  console.log('last line');
};

const endings = {
  idle: async () => last(await make(value)),
  forgotten: async () => {
    const guest = await make(never);
    void guest.exports.once(1);
    await last(guest);
  },
  cleared: async () => {
    const guest = await make(value);
    await guest.spawn('once', [1], { timeout: 1_000_000 }).result;
    await last(guest);
  },
  watched: async () => {
    const guest = await make(never, { onEvent: () => undefined });
    void guest.exports.once(1);
    await last(guest);
  },
  hopped: async () => {
    const guest = await make(value);
    await guest.exports.loop(50_000);
    await last(guest);
  },
};

if (endings[what] !== undefined) await endings[what]();
else {
  const round = await rounds[what]();
  const settle = async () => {
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      globalThis.gc();
    }
    return process.memoryUsage().heapUsed;
  };
  // Caches and compiled code first, which every process grows once.
  await round();
  await round();
  // Code may still be compiled in one stretch and thrown away in another: the median is what is left each time.
  const enough = ['guests', 'abandoned'].includes(what) ? 600 : 50_000;
  const growths = [];
  for (let stretch = 0; stretch < 3; stretch++) {
    const before = await settle();
    let cycles = 0;
    while (cycles < enough) cycles += await round();
    growths.push(((await settle()) - before) / cycles);
  }
  growths.sort((a, b) => a - b);
  const listeners = getEventListeners(controller.signal, 'abort').length;
  console.log(JSON.stringify({ bytesPerCycle: growths[1], warnings, listeners, growths }));
}
