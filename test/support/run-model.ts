// Runs a random sequence of commands on guests and on the model of them, and compares all that can be observed after
// each.
import * as fc from 'fast-check';
import { expect } from 'vitest';
import { canSuspend, currentFiber } from 'wasm-fibers';
import { loadGuest } from './guest.ts';
import { ModelError, ModelFiber, ModelGuest, World } from './model.ts';
import { type PlacedPlan, place, type Program, programs, type Space } from './programs.ts';
import { describe, growBy, Reality, type RealSetup } from './real.ts';

export type Command =
  | {
      readonly do: 'spawn' | 'timeout';
      readonly guest: number;
      readonly program: Program;
      readonly signal: number | null;
      readonly parent: number | null;
    }
  | { readonly do: 'sync'; readonly guest: number; readonly program: Program }
  | { readonly do: 'resolve' | 'reject' | 'cancel' | 'release' | 'break' | 'abort'; readonly pick: number }
  | { readonly do: 'grow' | 'dispose'; readonly guest: number }
  | {
      readonly do: 'together';
      readonly picks: readonly { readonly how: 'resolve' | 'reject' | 'cancel'; readonly pick: number }[];
    };

const pick = fc.nat({ max: 30 });
const how = fc.constantFrom('resolve' as const, 'resolve' as const, 'reject' as const, 'cancel' as const);

const commands: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('spawn' as const),
      guest: pick,
      program: programs,
      signal: fc.option(fc.nat({ max: 1 }), { freq: 4 }),
      parent: fc.option(pick, { freq: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('timeout' as const),
      guest: pick,
      program: programs,
      signal: fc.constant(null),
      parent: fc.constant(null),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sync' as const), guest: pick, program: programs }) },
  { weight: 16, arbitrary: fc.record({ do: fc.constant('resolve' as const), pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('reject' as const, 'cancel'), pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('release' as const, 'release', 'break', 'abort'), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('grow' as const, 'grow', 'grow', 'dispose'), guest: pick }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('together' as const),
      picks: fc.array(fc.record({ how, pick }), { minLength: 2, maxLength: 5 }),
    }),
  },
);

const setups: fc.Arbitrary<RealSetup> = fc.record({
  exclusive: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  poison: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  maxFibers: fc.constantFrom(1000, 1000, 1000, 3),
  windowSize: fc.constantFrom(64, 96, 256, 16_384),
  stackSize: fc.constantFrom(2048, 4096),
});

export interface Scenario {
  readonly setups: readonly RealSetup[];
  readonly commands: readonly Command[];
}

export const scenarios = (longest: number): fc.Arbitrary<Scenario> =>
  fc.record({
    setups: fc.array(setups, { minLength: 1, maxLength: 3 }),
    commands: fc.array(commands, { minLength: 1, maxLength: longest, size: 'max' }),
  });

/** Where programs lie in mixed.wat. */
const PROGRAMS = { from: 65_536, to: 327_680 } as const;
/** Nothing lies below; the test fills it. */
const CANARIES = 4096;
const CANARY = 0x5ca1ab1e;

let compiled: Promise<WebAssembly.Module> | undefined;

async function compileMixed(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await loadGuest('mixed'));
}

/** Runs a scenario on both and throws where they differ. */
export async function runScenario({ setups, commands }: Scenario): Promise<void> {
  const module = await (compiled ??= compileMixed());
  const run = new Run(setups);
  try {
    await run.begin(module, setups);
    for (const command of commands) await run.step(command);
    await run.finish();
  } finally {
    run.close();
  }
}

class Run {
  readonly #spaces: Space[];
  readonly #plans: PlacedPlan[] = [];
  readonly #world: World;
  readonly #real: Reality;
  readonly #channel = new MessageChannel();
  readonly #rest: number[] = [];
  readonly #written: number[];
  #names = 0;

  constructor(setups: readonly RealSetup[]) {
    this.#spaces = setups.map(() => ({ expected: new Int32Array(PROGRAMS.to / 4), next: PROGRAMS.from }));
    for (const { expected } of this.#spaces) expected.fill(CANARY, 0, CANARIES / 4);
    this.#written = setups.map(() => PROGRAMS.from);
    this.#world = new World(
      setups.map((setup, i) => new ModelGuest(i, setup, this.#spaces[i] ?? { expected: new Int32Array(0), next: 0 })),
      this.#plans,
    );
    this.#real = new Reality(this.#plans);
  }

  async begin(module: WebAssembly.Module, setups: readonly RealSetup[]): Promise<void> {
    for (const setup of setups) await this.#real.add(module, setup);
    for (const guest of this.#real.guests) {
      new Int32Array(guest.memory.buffer).fill(CANARY, 0, CANARIES / 4);
      this.#rest.push(guest.sync.stack_pointer());
    }
  }

  close(): void {
    this.#channel.port1.close();
  }

  /** Disposes of all guests; nothing may be left. */
  async finish(): Promise<void> {
    const done: Promise<void>[] = [];
    for (const [i, guest] of this.#world.guests.entries()) {
      this.#world.dispose(guest);
      const real = this.#real.guests[i];
      if (real !== undefined) done.push(real.dispose());
      await this.#settle();
    }
    // What caught its cancellation and waits at a gate was refused; so everything has ended.
    expect(this.#world.guests.flatMap((guest) => guest.live.map((fiber) => fiber.name))).toEqual([]);
    await Promise.all(done);
  }

  async step(command: Command): Promise<void> {
    this.#world.known = this.#real.known = this.#real.roots.length;
    switch (command.do) {
      case 'spawn':
      case 'timeout':
        await this.#spawn(command);
        break;
      case 'sync':
        this.#sync(command.guest, command.program);
        break;
      case 'together':
        // What a poisoned guest still does depends on the order of microtasks, which fairness may change.
        for (const { how, pick } of command.picks) {
          this.#end(how, pick);
          if (this.#world.guests.some((guest) => guest.setup.poison)) await this.#settle();
        }
        break;
      case 'release':
      case 'break':
        this.#release(command.pick % 2, command.do === 'break');
        break;
      case 'abort':
        this.#abort(command.pick % 2);
        break;
      case 'grow': {
        const guest = this.#real.guests[command.guest % this.#real.guests.length];
        if (guest !== undefined) growBy(guest.memory, 1);
        break;
      }
      case 'dispose': {
        const index = command.guest % this.#world.guests.length;
        const guest = this.#world.guests[index];
        if (guest !== undefined) this.#world.dispose(guest);
        void this.#real.guests[index]?.dispose();
        break;
      }
      default:
        this.#end(command.do, command.pick);
    }
    await this.#settle();
  }

  async #spawn({ do: kind, guest: at, program, signal, parent }: Command & { do: 'spawn' | 'timeout' }): Promise<void> {
    const index = at % this.#world.guests.length;
    const [model, guest] = [this.#world.guests[index], this.#real.guests[index]];
    if (model === undefined || guest === undefined) return;
    const block = this.#place(program, index);
    const name = `f${this.#names++}`;
    const root = parent === null ? undefined : this.#world.roots[parent % Math.max(1, this.#world.roots.length)];
    const realRoot = root && this.#real.fibers.get(root.name)?.fiber;
    let expected: ModelFiber | string;
    try {
      expected = this.#world.spawn(model, name, block, signal, root ?? null);
      this.#world.roots.push(expected);
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      expected = error.message;
    }
    const options = {
      name,
      ...(signal === null ? {} : { signal: (this.#real.aborts[signal] ?? new AbortController()).signal }),
      ...(realRoot === undefined ? {} : { parent: realRoot }),
    };
    let actual: string | null = null;
    let expire: () => void = nothing;
    try {
      const address = block.address;
      const fiber =
        kind === 'timeout'
          ? withoutTimer(
              (timeout) => guest.spawn('run', [address], { ...options, timeout }),
              (end) => (expire = end),
            )
          : guest.spawn('run', [address], options);
      this.#real.roots.push(this.#real.track(name, fiber));
    } catch (error) {
      actual = describe(error);
    }
    expect(actual).toBe(typeof expected === 'string' ? expected : null);
    if (kind !== 'timeout' || typeof expected === 'string') return;
    await this.#settle();
    this.#world.cancel(expected, 'TIMEOUT');
    expire();
  }

  #sync(at: number, program: Program): void {
    const index = at % this.#world.guests.length;
    const [model, guest] = [this.#world.guests[index], this.#real.guests[index]];
    if (model === undefined || guest === undefined) return;
    const block = this.#place(program, index);
    const expected = outcome(() => this.#world.sync(model, block));
    expect(outcome(() => guest.sync.run(block.address))).toEqual(expected);
  }

  /** Ends the wait of one of the fibers at a gate, or cancels one that lives. */
  #end(how: 'resolve' | 'reject' | 'cancel', pick: number): void {
    const live = this.#world.guests.flatMap((guest) => guest.live);
    const candidates = how === 'cancel' ? live : live.filter((fiber) => fiber.atGate && fiber.state === 'suspended');
    const fiber = candidates[pick % Math.max(1, candidates.length)];
    if (fiber === undefined) return;
    const real = this.#real.fibers.get(fiber.name);
    if (how === 'cancel') {
      const cancelled = this.#world.cancel(fiber, `CANCELLED(reason ${pick})`);
      expect(real?.fiber.cancel(new Error(`reason ${pick}`))).toBe(cancelled);
      return;
    }
    const gate = this.#real.gates.get(fiber.name);
    const wait = fiber.wait;
    fiber.atGate = false;
    const outcome = how === 'resolve' ? { value: pick - 10 } : { error: `rejected ${pick}` };
    this.#world.queue.push(() => {
      if (fiber.wait === wait) this.#world.deliver(fiber, outcome);
    });
    if (how === 'resolve') gate?.resolve(pick - 10);
    else gate?.reject(new Error(`rejected ${pick}`));
  }

  #release(index: number, broken: boolean): void {
    const [model, real] = [this.#world.shared[index], this.#real.shared[index]];
    if (model === undefined || real === undefined) return;
    const error = new Error('shared');
    // Whoever listens or not: a rejection of the test's own is nobody's fault.
    real.promise.catch(nothing);
    this.#world.refresh(index);
    this.#real.refresh(index);
    model.settle(broken ? { error: 'shared' } : { value: 77 });
    if (broken) real.settler.reject(error);
    else real.settler.resolve(77);
  }

  #abort(index: number): void {
    if (this.#world.aborted[index] !== null) return;
    this.#world.aborted[index] = `abort ${index}`;
    for (const fiber of (this.#world.subscribers[index] ?? []).slice()) {
      this.#world.cancel(fiber, `CANCELLED(abort ${index})`);
    }
    this.#real.aborts[index]?.abort(new Error(`abort ${index}`));
  }

  #place(program: Program, index: number): ReturnType<typeof place> {
    const block = place(program, index, this.#spaces, this.#plans);
    for (const [i, { expected, next }] of this.#spaces.entries()) {
      const from = this.#written[i] ?? 0;
      if (next > PROGRAMS.to) throw new Error('the programs of this scenario do not fit into a guest');
      if (next === from) continue;
      const memory = this.#real.guests[i]?.memory;
      if (memory !== undefined) new Int32Array(memory.buffer).set(expected.subarray(from / 4, next / 4), from / 4);
      this.#written[i] = next;
    }
    return block;
  }

  /** Lets both come to rest and compares them. */
  async #settle(): Promise<void> {
    this.#world.drain();
    const { port1, port2 } = this.#channel;
    // Turns of the event loop until they agree: fairness may put resumes off, more than once. If they never do, the
    // comparison says how they differ.
    for (let turns = 0; turns < 50; turns++) {
      await new Promise((resolve) => {
        port1.onmessage = resolve;
        port2.postMessage(null);
      });
      if (turns > 10) await new Promise((resolve) => setTimeout(resolve, 0));
      if (JSON.stringify(this.#observed()) === JSON.stringify(this.#predicted())) break;
    }
    expect(this.#observed()).toEqual(this.#predicted());
    this.#checkMemory();
    expect(currentFiber()).toBeNull();
    expect(canSuspend()).toBe(false);
  }

  #predicted(): unknown {
    const waits = ({ waitingOn }: ModelFiber): string | null =>
      waitingOn instanceof ModelFiber ? waitingOn.name : waitingOn;
    return {
      live: this.#world.guests.map((guest) =>
        guest.live.map((fiber) => `${fiber.name} ${fiber.state} ${waits(fiber)}`).sort(),
      ),
      outcomes: sorted([...this.#world.fibers].map(([name, { outcome }]) => [name, outcome])),
      traces: sorted(withoutRepeats(this.#world.traces)),
    };
  }

  #observed(): unknown {
    return {
      live: this.#real.guests.map((guest) =>
        guest.fibers
          .map((fiber) => `${this.#real.nameOf(fiber)} ${fiber.state} ${this.#real.nameOf(fiber.waitingOn)}`)
          .sort(),
      ),
      outcomes: sorted([...this.#real.fibers].map(([name, { outcome }]) => [name, outcome])),
      traces: sorted(withoutRepeats(this.#real.traces)),
    };
  }

  #checkMemory(): void {
    for (const [i, { expected, next }] of this.#spaces.entries()) {
      const guest = this.#real.guests[i];
      if (guest === undefined) continue;
      const memory = new Int32Array(guest.memory.buffer);
      for (const [from, to] of [
        [0, CANARIES / 4],
        [PROGRAMS.from / 4, Math.min(next + 1024, PROGRAMS.to) / 4],
      ] as const) {
        for (let at = from; at < to; at++) {
          if (memory[at] !== expected[at]) {
            throw new Error(`guest ${i}: memory at ${at * 4} is ${memory[at]}, should be ${expected[at]}`);
          }
        }
      }
      if (this.#world.guests[i]?.closed === null) expect(guest.sync.stack_pointer()).toBe(this.#rest[i]);
    }
  }
}

/** No other timer of a scenario has so many milliseconds. */
const TIMEOUT = 123_456;

/**
 * Runs what sets one timer, which ends only when it is told to: when the platform's own would end, with resumes put off by
 * fairness before or behind it, no model can say.
 */
function withoutTimer<T>(run: (milliseconds: number) => T, onTimer: (end: () => void) => void): T {
  const { setTimeout: platform } = globalThis;
  const caught = (callback: () => void, milliseconds?: number): unknown => {
    const timer = platform(milliseconds === TIMEOUT ? nothing : callback, milliseconds);
    if (milliseconds !== TIMEOUT) return timer;
    clearTimeout(timer);
    onTimer(callback);
    return timer;
  };
  globalThis.setTimeout = caught as typeof platform;
  try {
    return run(TIMEOUT);
  } finally {
    globalThis.setTimeout = platform;
  }
}

function outcome(run: () => number): { value: number } | { error: string } {
  try {
    return { value: run() };
  } catch (error) {
    return { error: error instanceof ModelError ? error.message : describe(error) };
  }
}

/**
 * Without the executions of a plain trampoline that only bring the stack back: it depends on the window when they come, since a
 * deep stack goes on in parts. (trampolines.test.ts counts them.)
 */
const withoutRepeats = (traces: Iterable<readonly [string, readonly string[]]>): [string, string[]][] =>
  [...traces].map(([name, calls]) => [name, calls.filter((each) => !/invoke_ii \d+ false$/.test(each))]);

function sorted<T>(entries: [string, T][]): [string, T][] {
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

function nothing(): void {}
