/**
 * Guests in AssemblyScript that pay for their work: values pass as ever, though their fibers are pre-empted wherever they look at
 * their budget, and what is beyond a limit ends with its name.
 */
import { createHash } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type FiberEvent, FiberError, type Guest } from 'wasm-fibers';
import { instantiate } from 'wasm-fibers/assemblyscript';
import { Plugin } from 'wasm-fibers/plugin';
import { readMetadata } from '../../host/runtime/metadata.ts';
import { backend } from '../support/backend.ts';
import { code, turn, watch } from '../support/core.ts';
import { bytesOf, compile, SUSPENDING } from './transform-driver.ts';

const SOURCE = `
${SUSPENDING} @external('env', 'ask') declare function ask(question: string, numbers: i32[]): string;
class Answer { text: string = ''; parts: string[] = []; }

export function answers(seed: i32, count: i32): Answer {
  const answer = new Answer();
  for (let i = 0; i < count; i++) {
    const numbers: i32[] = [];
    for (let n = 0; n < 8; n++) numbers.push(seed + i * n);
    const word = 'q' + seed.toString() + '.' + i.toString();
    answer.parts.push(ask(word, numbers) + '/' + word);
  }
  answer.text = answer.parts.join(' ');
  return answer;
}
export function forever(): void { while (true) {} }
export function deep(n: i32): i32 { return n == 0 ? 0 : 1 + deep(n - 1); }
`;

interface Exports {
  answers(seed: number, count: number): { text: string; parts: string[] };
  forever(): void;
  deep(n: number): number;
}

let bytes: Uint8Array<ArrayBuffer>;
beforeAll(async () => {
  const result = await compile(SOURCE, {
    flags: ['-O3'],
    options: { target: backend, metered: true, limits: { callDepth: 200 } },
  });
  expect([result.error, result.stderr]).toEqual([null, '']);
  bytes = new Uint8Array(bytesOf(result, 'app.wasm'));
});

const ask = (question: string, numbers: readonly number[]): Promise<string> =>
  turn().then(() => `${question}=${numbers.reduce((sum, each) => sum + each, 0)}`);

async function open(options: Parameters<typeof instantiate>[2] = {}): Promise<Guest<Exports>> {
  return watch(await instantiate<Exports>(bytes, { env: { ask } }, options));
}

function wanted(seed: number, count: number): { text: string; parts: string[] } {
  const parts = Array.from({ length: count }, (_, i) => {
    const sum = Array.from({ length: 8 }, (_, n) => seed + i * n).reduce((a, b) => a + b, 0);
    return `q${seed}.${i}=${sum}/q${seed}.${i}`;
  });
  return { text: parts.join(' '), parts };
}

const { performance } = globalThis;
const realNow = performance.now;
afterEach(() => {
  performance.now = realNow;
});

/** By this clock a slice of a millisecond is over each thirteenth time that somebody looks; who may take 100 ms has more than enough. */
function hurry(): void {
  let time = realNow.call(performance);
  performance.now = () => (time += 0.08);
}

describe('the option metered of the transform', () => {
  test('is in what the module says of itself, for each module of a pair', async () => {
    const result = await compile(SOURCE, { options: { target: 'both', metered: true } });
    const modules = ['app.wasm', 'app.jspi.wasm'].map((name) => new Uint8Array(bytesOf(result, name)));
    for (const module of modules) {
      expect(readMetadata(await WebAssembly.compile(module))).toMatchObject({ metered: true });
    }
  });

  test('values pass as ever, though fibers are pre-empted all the time', async () => {
    let slices = 0;
    const onEvent = ({ type }: FiberEvent): void => {
      if (type === 'slice') slices++;
    };
    const guest = await open({ onEvent, limits: { sliceMs: 1 } });
    hurry();
    const all = await Promise.all(Array.from({ length: 60 }, (_, seed) => guest.exports.answers(seed, 12)));
    expect(all).toEqual(all.map((_, seed) => wanted(seed, 12)));
    expect(slices).toBeGreaterThan(60);
  });

  test('fuel and time end a fiber, and the limits that were compiled in', async () => {
    const fuel = await open({ limits: { fuel: 100_000 } });
    expect((await fuel.exports.answers(1, 2)).parts).toHaveLength(2);
    expect(await code(fuel.exports.forever())).toBe('OUT_OF_FUEL');
    const time = await open({ limits: { timeout: 200 } });
    let ticks = 0;
    const ticking = setInterval(() => ticks++, 1);
    expect(await code(time.exports.forever())).toBe('TIMEOUT');
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(0);
    const depth = await open();
    expect(await depth.exports.deep(100)).toBe(100);
    await expect(depth.exports.deep(1000)).rejects.toMatchObject({ code: 'LIMIT_REACHED', limit: 'callDepth' });
  });

  test('a plugin whose values pass by their types has limits like any other', async () => {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const plugin = await Plugin.load(bytes, {
      backend,
      hostFunctions: { env: { ask: ask as never } },
      trusted: [sha256],
      limits: { fuel: 1_000_000, timeout: 1000 },
    });
    expect(await plugin.call('answers', [3, 4])).toEqual(wanted(3, 4));
    await expect(plugin.call('forever', [])).rejects.toMatchObject({ code: 'OUT_OF_FUEL' });
    expect(await plugin.call('answers', [5, 6])).toEqual(wanted(5, 6));
    expect(plugin.stats().restarts).toBe(1);
    await plugin.dispose();
  });

  test('limits without metering are refused when asc runs', async () => {
    const { error, files } = await compile(SOURCE, { options: { limits: { callDepth: 5 } } });
    expect(error?.message).toContain('metered');
    expect(error).not.toBeInstanceOf(FiberError);
    expect([...files.keys()]).toEqual([]);
  });
});
