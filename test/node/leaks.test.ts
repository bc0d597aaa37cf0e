// SEMANTICS R.1 on Node, where the garbage collector can be asked: bytes per cycle are zero in the host. Each measurement
// runs in a process of its own, so that nobody else's memory is counted.
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { backend, onlyOn } from '../support/backend.ts';
import { run } from '../support/temporary.ts';

const SCRIPT = fileURLToPath(new URL('leaks/measure.mjs', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Measured {
  readonly bytesPerCycle: number;
  readonly warnings: readonly string[];
  readonly listeners: number;
}

async function measure(what: string): Promise<Measured> {
  const { code, stdout, stderr } = await run(process.execPath, ['--expose-gc', SCRIPT, backend, what], ROOT);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout) as Measured;
}

/** A leak of one pointer per cycle is eight bytes; what a heap wavers by, over so many cycles, is less than half of it. */
const NOTHING = 4;
/** The same for a whole guest. */
const A_GUEST = 300;

describe('R.1 bytes per cycle are zero', () => {
  test.each([
    ['150,000 suspensions of one fiber', 'suspend'],
    ['150,000 suspensions of ten fibers in two guests, through a small window', 'interleave'],
    ['150,000 calls that wait once', 'enter'],
    ['150,000 spawns with a handle', 'spawn'],
    ['150,000 fibers cancelled while they wait', 'cancel'],
    ['150,000 fibers with a timeout that does not come', 'timeout'],
    ['150,000 rejections', 'reject'],
    ['150,000 traps after a wait', 'trap'],
    ['150,000 fibers on one AbortSignal, a hundred at a time', 'signal'],
    ['150,000 generators that the guest waits inside of', 'generator'],
    ['150,000 sync calls', 'sync'],
    ['2,000 guests disposed of with a suspended fiber each', 'guests'],
  ])(
    '%s',
    async (_name, what) => {
      const { bytesPerCycle, warnings, listeners } = await measure(what);
      expect(bytesPerCycle).toBeLessThan(what === 'guests' ? A_GUEST : NOTHING);
      expect(warnings).toEqual([]);
      expect(listeners).toBe(0);
    },
    120_000,
  );
});

onlyOn('asyncify', 'guests that wait for ever', () => {
  test('R.1 2,000 guests dropped whose fibers wait for ever, and whose events somebody hears', async () => {
    expect((await measure('abandoned')).bytesPerCycle).toBeLessThan(A_GUEST);
  }, 120_000);
});

describe('R.1 a process ends by itself', () => {
  test.each([
    ['with an idle guest', 'idle'],
    ['with a fiber that waits for what never comes', 'forgotten'],
    ['after a timeout was cleared by the end of its fiber', 'cleared'],
    ['with an event listener and a suspended fiber', 'watched'],
    ['after fairness has hopped through the event loop', 'hopped'],
  ])('%s', async (_name, what) => {
    const { code, stdout, stderr } = await run(process.execPath, [SCRIPT, backend, what], ROOT);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'last line\n', stderr: '' });
  });
});
