/**
 * The process in which something computes and lets others have their turn: `slices-worker.js WAY BUSY MILLISECONDS`. So many are
 * busy at once, in endless loops: plugins, each a guest of its own, or loops of JavaScript that look at the clock and go on by
 * `setImmediate` when 8 ms are over. Meanwhile a timer is started again and again. Says how long each slice of the first
 * one was, and how late the timers were; then starts an endless call with a deadline several times beside the others, and says by
 * how much later each has ended.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { FiberError } from '../host/errors.ts';
import { Plugin } from '../host/plugin/index.ts';
import { readPlugin } from './plugin-guest.ts';

/** Milliseconds each. */
export interface SliceTimes {
  readonly slices: readonly number[];
  readonly late: readonly number[];
  readonly overdue: readonly number[];
}

export type SliceWay = 'asyncify' | 'jspi' | 'script';

/** What computes, and says when each of its slices begins and ends. */
interface Computing {
  /** Computes until the time is over, in milliseconds. */
  run(timeout: number): Promise<void>;
}

type Watch = (begins: boolean) => void;

/** Milliseconds. */
const SLICE = 8;
const ENDINGS = 16;
/** Before anything counts: the engine compiles what it will. */
const WARM_UP = 500;

/** Milliseconds of the timers and of the deadlines: of all lengths, or they would always be due at the same place in a slice. */
const delayOf = (i: number): number => 5 + (i % 16);
const LONGEST_DELAY = 20;

const [way, wanted, milliseconds] = process.argv.slice(2);
const duration = Number(milliseconds);

async function plugin(backend: 'asyncify' | 'jspi', watch: Watch): Promise<Computing> {
  const loaded = await Plugin.load(readPlugin(), {
    backend,
    hostFunctions: { app: { translate: () => 0n } },
    onEvent({ type }) {
      if (type === 'resume') watch(true);
      else if (type === 'slice') watch(false);
    },
  });
  return {
    async run(timeout) {
      try {
        await loaded.call('busy', [], { as: 'numbers', timeout });
      } catch (error) {
        if (!(error instanceof FiberError) || error.code !== 'TIMEOUT') throw error;
      }
    },
  };
}

/** Somewhere to put what is computed, so that it is. */
let sink = 0;

function script(watch: Watch): Computing {
  return {
    async run(timeout) {
      const deadline = performance.now() + timeout;
      for (let now = performance.now(); now < deadline; now = performance.now()) {
        watch(true);
        for (const end = Math.min(now + SLICE, deadline); performance.now() < end;) sink = compute(sink);
        watch(false);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

/** Some tens of microseconds of the plugin's work. */
function compute(seed: number): number {
  let x = seed | 1;
  for (let i = 0; i < 10_000; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
  }
  return x;
}

const start = (watch: Watch): Promise<Computing> | Computing =>
  way === 'script' ? script(watch) : plugin(way === 'jspi' ? 'jspi' : 'asyncify', watch);

async function measure(): Promise<SliceTimes> {
  const slices: number[] = [];
  let counting = false;
  let began: number | null = null;
  const first = await start((begins) => {
    const now = performance.now();
    if (!begins && began !== null && counting) slices.push(now - began);
    began = begins ? now : null;
  });
  const others: Computing[] = [];
  while (others.length < Number(wanted) - 1) others.push(await start(() => {}));

  const endings = ENDINGS * (LONGEST_DELAY * Number(wanted) + 500);
  const busy = others.map((other) => other.run(WARM_UP + duration + endings));
  const running = first.run(WARM_UP + duration);
  await sleep(WARM_UP);
  counting = true;
  const late: number[] = [];
  const end = performance.now() + duration - LONGEST_DELAY;
  for (let i = 0; performance.now() < end; i++) {
    const due = performance.now() + delayOf(i);
    await sleep(delayOf(i));
    late.push(performance.now() - due);
  }
  await running;
  counting = false;

  const overdue: number[] = [];
  for (let i = 0; i < ENDINGS; i++) {
    const timeout = LONGEST_DELAY + delayOf(i);
    const due = performance.now() + timeout;
    await first.run(timeout);
    overdue.push(performance.now() - due);
    // What comes after it, such as a fresh instance, is not its own.
    await sleep(LONGEST_DELAY);
  }
  void busy;
  return { slices, late, overdue };
}

process.send?.(await measure(), () => process.exit());
