// wasm-fibers/trace: what a recorder keeps of real fibers, and what it makes of that.
import { describe, expect, test } from 'vitest';
import { instantiate } from 'wasm-fibers';
import { FiberRecorder, type RecordedEvent, type TraceEvent, type TraceFile } from 'wasm-fibers/trace';
import { catching, code, core, failure, Gate, turn, watch } from '../support/core.ts';
import { guestSource } from '../support/guest.ts';
import { violations } from '../support/trace-format.ts';

const later = <T>(value: T): Promise<T> => turn().then(() => value);

/** `suspend app#1 env.wait`. */
const brief = ({ type, fiber, import: site }: RecordedEvent): string =>
  [type, `${fiber.guest}#${fiber.id}`, ...(site === null ? [] : [site])].join(' ');

const named = (file: TraceFile, ...phases: readonly string[]): readonly TraceEvent[] =>
  file.traceEvents.filter(({ ph }) => phases.includes(ph));

/** Computes for so long that a clock of a browser can tell. */
function spin(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

/** What a page is given. */
function dataOf(html: string): {
  readonly names: readonly string[];
  readonly kinds: readonly number[];
  readonly froms: readonly number[];
  readonly ends: readonly number[];
  readonly outcomes: readonly number[];
  readonly siteNames: readonly string[];
  readonly cut: readonly number[];
  readonly duration: number;
} {
  const [, text = ''] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html) ?? [];
  return JSON.parse(text) as ReturnType<typeof dataOf>;
}
const [RUNNING, WAITING, PREEMPTED, QUEUED] = [0, 1, 2, 3];
const [OK, FAILED, CANCELLED, ALIVE] = [0, 1, 2, 3];

describe('a recorder', () => {
  test('keeps what happens to fibers, in order and with the time', async () => {
    const recorder = new FiberRecorder();
    const before = performance.now();
    const guest = await core(later, { onEvent: recorder.listener('app') });
    await guest.exports.twice(1);
    expect(recorder.events.map(brief)).toEqual([
      'spawn app#1',
      'suspend app#1 env.wait',
      'resume app#1 env.wait',
      'suspend app#1 env.wait',
      'resume app#1 env.wait',
      'end app#1',
    ]);
    const times = recorder.events.map(({ time }) => time);
    expect(times).toEqual([...times].sort((left, right) => left - right));
    expect(times[0]).toBeGreaterThanOrEqual(0);
    expect(times.at(-1)).toBeLessThanOrEqual(performance.now() - before + 5);
    expect(Math.abs(recorder.startedAt + (times.at(-1) ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  test('tells guests from each other, whether it was told their names or not', async () => {
    const recorder = new FiberRecorder();
    const app = recorder.listener('app');
    for (const onEvent of [app, app, recorder.onEvent, recorder.onEvent]) {
      await (await core(later, { onEvent })).exports.note(1);
    }
    const guests = recorder.events.filter(({ type }) => type === 'spawn').map(({ fiber }) => fiber.guest);
    expect(guests).toEqual(['app', 'app 2', 'guest', 'guest 2']);
  });

  test('knows who has spawned a fiber and whose result a fiber waits for', async () => {
    const recorder = new FiberRecorder();
    const inner = await core(later, { onEvent: recorder.listener('inner') });
    const outer = await core((x) => inner.exports.once(x), { onEvent: recorder.listener('outer') });
    expect(await outer.exports.once(3)).toBe(3);
    const [spawned, child] = recorder.events.filter(({ type }) => type === 'spawn');
    expect([spawned?.fiber.guest, spawned?.parent]).toEqual(['outer', null]);
    expect([child?.fiber.guest, child?.parent]).toEqual(['inner', spawned?.fiber]);
    const wait = recorder.events.find(({ type, fiber }) => type === 'suspend' && fiber.guest === 'outer');
    expect(wait?.waitsFor).toEqual(child?.fiber);
  });

  test('keeps text alone: no fiber, no guest and no error lives on in it', async () => {
    const recorder = new FiberRecorder();
    const gate = new Gate();
    const guest = await core(gate.wait, { onEvent: recorder.onEvent });
    const fiber = guest.spawn('once', [1], { name: 'job' });
    const failing = guest.spawn('once', [2]);
    gate.take(2).reject(Object.assign(new TypeError('no connection'), { code: 'ECONNREFUSED' }));
    await failure(failing.result);
    await failure(guest.exports.trap());
    gate.take(1).resolve(1);
    await fiber.result;
    const { events } = recorder;
    expect(JSON.parse(JSON.stringify(events))).toEqual(events);
    const ends = events.filter(({ error }) => error !== null);
    expect(ends.map(({ type, error }) => [type, error?.name, error?.code])).toEqual([
      ['end', 'TypeError', 'ECONNREFUSED'],
      ['trap', 'RuntimeError', null],
      ['end', 'RuntimeError', null],
    ]);
    expect(ends[0]?.error?.message).toBe('no connection');
  });

  test('stands errors that cannot be read', async () => {
    const recorder = new FiberRecorder();
    const nasty = {
      get name(): string {
        throw new Error('mine');
      },
      [Symbol.toPrimitive](): string {
        throw new Error('mine too');
      },
    };
    const gate = new Gate();
    const guest = await core(gate.wait, { onEvent: recorder.onEvent });
    for (const thrown of [nasty, 'text', null]) {
      const result = guest.exports.once(1);
      gate.take(1).reject(thrown);
      expect(await failure(result)).toBe(thrown);
    }
    const errors = recorder.events.flatMap(({ error }) => (error === null ? [] : [`${error.name} ${error.message}`]));
    expect(errors).toEqual(['object an error that cannot be read', 'string text', 'object null']);
  });

  test('drops the oldest beyond its limit, and still shows a fiber that waits since before', async () => {
    const recorder = new FiberRecorder({ limit: 5 });
    const gate = new Gate();
    const guest = await core((x) => (x === 9 ? gate.wait(x) : later(x)), { onEvent: recorder.listener('app') });
    const waiting = guest.spawn('once', [9], { name: 'patient' });
    await guest.exports.loop_of(3, 1);
    expect(recorder.events.map(brief)).toEqual([
      'suspend app#2 env.wait',
      'resume app#2 env.wait',
      'suspend app#2 env.wait',
      'resume app#2 env.wait',
      'end app#2',
    ]);
    expect(recorder.dropped).toBe(5);
    const { names, cut, outcomes, siteNames } = dataOf(recorder.toHTML());
    expect(names).toEqual(['patient', 'loop_of']);
    expect([cut, outcomes, siteNames]).toEqual([[0, 1], [ALIVE, OK], ['env.wait']]);
    expect(violations(recorder.toTraceEvents())).toEqual([]);
    gate.take(9).resolve(1);
    await waiting.result;
  });

  test('forgets everything when it is cleared, and goes on', async () => {
    const recorder = new FiberRecorder({ limit: 4 });
    const guest = await core(later, { onEvent: recorder.listener('app') });
    await guest.exports.twice(1);
    recorder.clear();
    expect([recorder.events, recorder.dropped]).toEqual([[], 0]);
    expect(recorder.toTraceEvents().traceEvents).toEqual([]);
    await guest.exports.note(1);
    expect(recorder.events.map(brief)).toEqual(['spawn app#2', 'end app#2']);
  });

  test.each([0, -1, 1.5, Number.NaN, '10' as unknown as number])('refuses the limit %s', (limit) => {
    expect(() => new FiberRecorder({ limit })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }) as Error);
  });
});

describe('the times of a fiber', () => {
  test('follow each other without a gap: running, waiting, running', async () => {
    const recorder = new FiberRecorder();
    const guest = await core(later, { onEvent: recorder.onEvent });
    await guest.exports.twice(1);
    const { kinds, froms, ends, duration } = dataOf(recorder.toHTML());
    expect(kinds).toEqual([RUNNING, WAITING, RUNNING, WAITING, RUNNING]);
    expect(froms).toEqual([...froms].sort((left, right) => left - right));
    expect([froms[0], ends[0]]).toEqual([0, duration]);
  });

  test('while another fiber of its guest runs, it is queued', async () => {
    const recorder = new FiberRecorder();
    let nested: Promise<number> | null = null;
    const guest = await core(
      later,
      { onEvent: recorder.onEvent },
      {
        note(x: number): number {
          if (x !== 5) return x;
          nested = guest.exports.note(1);
          spin(5);
          return x;
        },
      },
    );
    await guest.exports.note(5);
    await nested;
    const { kinds, froms, ends } = dataOf(recorder.toHTML());
    expect(kinds).toEqual([RUNNING, QUEUED, RUNNING]);
    // It has begun when the other one had ended, and not before.
    expect(froms[2]).toBe(ends[0]);
    expect((froms[2] ?? 0) - (froms[1] ?? 0)).toBeGreaterThan(3);
  });

  test('one that is cancelled before its turn has never run', async () => {
    const recorder = new FiberRecorder();
    const gate = new Gate();
    const guest = await core(gate.wait, { onEvent: recorder.onEvent, exclusive: true });
    const first = guest.spawn('once', [1]);
    const second = guest.spawn('once', [2]);
    const third = guest.spawn('once', [3]);
    // By the clock of every browser: what takes no time is not drawn.
    await new Promise((resolve) => setTimeout(resolve, 5));
    // As seen meanwhile, and in the end.
    expect(dataOf(recorder.toHTML()).kinds).toEqual([RUNNING, WAITING, QUEUED, QUEUED]);
    second.cancel();
    expect(await code(second.result)).toBe('CANCELLED');
    gate.take(1).resolve(1);
    await first.result;
    await gate.until(1);
    gate.take(3).resolve(3);
    await third.result;
    const { kinds, outcomes } = dataOf(recorder.toHTML());
    expect(outcomes).toEqual([OK, CANCELLED, OK]);
    expect(kinds).toEqual([RUNNING, WAITING, RUNNING, QUEUED, QUEUED, RUNNING, WAITING, RUNNING]);
  });

  test('one that is pre-empted is that until it goes on, and says what it has used', async () => {
    const recorder = new FiberRecorder();
    const env = { wait: later, note: () => undefined };
    const options = { onEvent: recorder.listener('metered'), limits: { sliceMs: 1 } };
    const guest = watch(await instantiate<{ count(n: number): number }>(guestSource('metered'), { env }, options));
    const counting = guest.spawn('count', [20_000_000]);
    await counting.result;
    const short = guest.spawn('count', [2_000_000], { fuel: 1000 });
    expect(await code(short.result)).toBe('OUT_OF_FUEL');
    expect(counting.slices).toBeGreaterThan(0);
    const file = recorder.toTraceEvents();
    expect(violations(file)).toEqual([]);
    const slices = named(file, 'b').filter(({ tid }) => tid === counting.id);
    expect(slices.map(({ name }) => name)).toEqual(Array.from({ length: counting.slices }, () => 'preempted'));
    const moments = named(file, 'i').map(({ name, tid, args }) => [name, tid, args?.['fuel']]);
    expect(moments).toEqual([
      ['ok', counting.id, counting.fuel],
      ['limit', short.id, undefined],
      ['failed', short.id, short.fuel],
    ]);
    const { kinds, outcomes } = dataOf(recorder.toHTML());
    expect(kinds).toContain(PREEMPTED);
    expect(kinds.filter((kind) => kind === RUNNING)).toHaveLength(counting.slices + 2 + short.slices);
    expect(outcomes).toEqual([OK, FAILED]);
  });

  test('an end is a return, a failure or a cancellation, and a guest that is disposed of cancels', async () => {
    const recorder = new FiberRecorder();
    const gate = new Gate();
    const guest = await catching(gate.wait, { onEvent: recorder.onEvent });
    const returned = guest.exports.guarded(1);
    const timed = guest.spawn('cleanup', [2], { timeout: 1 });
    const disposed = guest.exports.cleanup(3);
    gate.take(1).resolve(1);
    await returned;
    expect(await code(timed.result)).toBe('TIMEOUT');
    await failure(guest.exports.throw_own(4));
    const ended = failure(disposed);
    await guest.dispose();
    await ended;
    expect(dataOf(recorder.toHTML()).outcomes).toEqual([OK, CANCELLED, CANCELLED, FAILED]);
  });
});

describe('trace events', () => {
  /** Two guests, one of which waits for the other; a failure, a trap, a cancellation, and one that still waits. */
  async function busy(): Promise<{ recorder: FiberRecorder; finish(): Promise<void> }> {
    const recorder = new FiberRecorder();
    const gate = new Gate();
    const inner = await core((x) => (x < 0 ? gate.wait(x) : later(x)), { onEvent: recorder.listener('inner') });
    const outer = await core((x) => inner.exports.loop_of(2, x), { onEvent: recorder.listener('outer') });
    await Promise.all(Array.from({ length: 20 }, (_, x) => outer.exports.loop_of(3, x)));
    await failure(outer.exports.trap());
    const cancelled = inner.spawn('once', [-1]);
    cancelled.cancel();
    await failure(cancelled.result);
    const patient = inner.spawn('once', [-2], { name: 'patient' });
    return {
      recorder,
      async finish() {
        gate.take(-2).resolve(1);
        await patient.result;
      },
    };
  }

  test('keep the rules of the format', async () => {
    const { recorder, finish } = await busy();
    const file = recorder.toTraceEvents();
    expect(violations(file)).toEqual([]);
    expect(JSON.parse(JSON.stringify(file))).toEqual(file);
    expect(named(file, 's')).not.toEqual([]);
    expect(file.displayTimeUnit).toBe('ms');
    await finish();
  });

  test('the check above sees a file that breaks them', () => {
    const at = { pid: 1, tid: 1, cat: 'fiber', name: 'a' };
    const broken: readonly TraceEvent[] = [
      { ...at, ph: 'X', ts: 1, dur: 5 },
      { ...at, ph: 'X', ts: 3, dur: 5 },
      { ...at, ph: 'b', ts: 1, id: '1' },
      { ...at, ph: 'e', ts: 1, id: '2' },
      { ...at, ph: 's', ts: 90, id: '3' },
      { ...at, ph: 'f', ts: 3, id: '3', bp: 'e' },
      { ...at, ph: 'i', ts: 3 },
    ];
    const found = violations({ traceEvents: broken, displayTimeUnit: 'ms', otherData: {} });
    expect(found.map((each) => each.split(':', 1)[0])).toEqual([
      'ends without having begun',
      'an arrow back in time',
      'no scope',
      'does not end',
      'begins before the event ends that it follows',
      'an arrow with nothing at its end',
    ]);
  });

  test('have a process for each guest and a thread for each fiber', async () => {
    const { recorder, finish } = await busy();
    const names = (of: string): unknown[] =>
      named(recorder.toTraceEvents(), 'M').flatMap(({ name, args }) => (name === of ? [args?.['name']] : []));
    expect(names('process_name')).toEqual(['outer', 'inner']);
    expect(names('thread_name')).toHaveLength(21 + 60 + 2);
    expect(names('thread_name')).toContain('#21 trap');
    expect(names('thread_name')).toContain('#62 patient');
    await finish();
  });

  test('say in microseconds when a fiber ran and where it waited', async () => {
    const recorder = new FiberRecorder();
    const guest = await core(later, { onEvent: recorder.onEvent });
    await guest.exports.once(1);
    const times = recorder.events.map(({ time }) => time);
    const file = recorder.toTraceEvents();
    const shown = named(file, 'X', 'b', 'e').map(({ ph, name, ts }) => [ph, name, ts]);
    const rounded = times.map((time) => Math.round(time * 1e6) / 1e3);
    expect(shown).toEqual([
      ['X', 'once', rounded[0]],
      ['b', 'env.wait', rounded[1]],
      ['e', 'env.wait', rounded[2]],
      ['X', 'once', rounded[2]],
    ]);
  });

  test('an arrow leads from a fiber to the one that waited for it, and from a parent to its child', async () => {
    const recorder = new FiberRecorder();
    const inner = await core(later, { onEvent: recorder.listener('inner') });
    const outer = await core((x) => inner.exports.once(x), { onEvent: recorder.listener('outer') });
    await outer.exports.once(3);
    const file = recorder.toTraceEvents();
    const [outerAt, innerAt] = [{ pid: 1 }, { pid: 2 }];
    const arrows = [...named(file, 's', 'f')].sort((left, right) => left.name.localeCompare(right.name));
    expect(arrows).toEqual([
      expect.objectContaining({ ph: 's', name: 'result', ...innerAt }),
      expect.objectContaining({ ph: 'f', name: 'result', ...outerAt }),
      expect.objectContaining({ ph: 's', name: 'spawn', ...outerAt }),
      expect.objectContaining({ ph: 'f', name: 'spawn', ...innerAt }),
    ]);
    const wait = named(file, 'b').find(({ pid }) => pid === 1);
    expect(wait?.args).toEqual({ 'waits for': '#1 once' });
  });

  test('say how fibers ended, and why', async () => {
    const { recorder, finish } = await busy();
    const moments = named(recorder.toTraceEvents(), 'i').map(({ name, args }) => [name, String(args?.['error'] ?? '')]);
    expect(moments.filter(([name]) => name === 'ok')).toHaveLength(20 + 60);
    expect(moments.filter(([name]) => name !== 'ok')).toEqual([
      ['trap', expect.stringMatching(/^RuntimeError: .*unreachable/)],
      ['failed', expect.stringMatching(/^RuntimeError: /)],
      ['cancelled', 'CANCELLED: The fiber #61 (once) was cancelled.'],
    ]);
    await finish();
  });
});

describe('the page', () => {
  test('is one document that loads nothing, whatever things are called', async () => {
    const recorder = new FiberRecorder();
    const hostile = '</script><img src=x onerror=alert(1)>\u202e\u0000\u2028"\'&';
    const gate = new Gate();
    const guest = await core(gate.wait, { onEvent: recorder.listener(hostile) });
    const fiber = guest.spawn('once', [1], { name: hostile });
    gate.take(1).reject(new Error(hostile));
    await failure(fiber.result);
    const html = recorder.toHTML({ title: hostile });
    // Compared as what was found, since a page is long.
    expect(html.match(/<img/g)).toBeNull();
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    // oxlint-disable-next-line no-control-regex -- control characters are what must not be there
    expect(html.match(/[\u0000-\u0009\u000b-\u001f\u202a-\u202e\u2066-\u2069\u2028\u2029]/g)).toBeNull();
    expect(html.includes("default-src 'none'")).toBe(true);
    expect(dataOf(html).names).toEqual([hostile.replace('\u202e\u0000\u2028', String.raw`\u{202e}\u{0}\u{2028}`)]);
    const markup = recorder.toHTML().replace(/(<script type="application\/json"[^>]*>).*?(<\/script>)/s, '$1$2');
    expect(markup.match(/<[^>]*\b(src|href|action)=|url\(|@import|https?:|\bimport\(/)).toBeNull();
  });

  test('says that nothing was recorded where that is so', () => {
    const { names, duration } = dataOf(new FiberRecorder().toHTML());
    expect([names, duration]).toEqual([[], 0]);
  });
});
