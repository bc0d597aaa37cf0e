// The model of guests and their fibers: what SEMANTICS promises, without any stack switching. A fiber is a JavaScript
// generator, a microtask is an entry of a queue, an error is the string that describes it.
import { perBackend } from './backend.ts';
import { CAUGHT, type Environment, execute, HOST_VALUE, type Block, type PlacedPlan, type Space } from './programs.ts';

/** An error in the model; its message is what `describe` says of the real one. */
export class ModelError extends Error {}

/**
 * On JSPI the engine goes on with a stack a microtask after it was told to, and tells that one has ended a microtask later.
 * The fiber counts as running meanwhile.
 */
const LATER = perBackend({ asyncify: false, jspi: true });

/** What a fiber's body yields: it waits; or its stack goes on by itself, behind the call of a generator. */
type Step = 'waits' | 'passes';

export type Outcome = { readonly value: number } | { readonly error: string };

/** A promise in the model: reactions run in order, each in a microtask of its own. */
export class Pending {
  readonly #world: World;
  #outcome: Outcome | null = null;
  #reactions: ((outcome: Outcome) => void)[] = [];

  constructor(world: World, outcome: Outcome | null = null) {
    this.#world = world;
    this.#outcome = outcome;
  }

  settle(outcome: Outcome): void {
    if (this.#outcome !== null) return;
    this.#outcome = outcome;
    for (const reaction of this.#reactions.splice(0)) this.#world.queue.push(() => reaction(outcome));
  }

  listen(reaction: (outcome: Outcome) => void): void {
    const outcome = this.#outcome;
    if (outcome === null) this.#reactions.push(reaction);
    else this.#world.queue.push(() => reaction(outcome));
  }
}

interface Turn {
  live: number;
  starts: (() => void)[];
}

export interface GuestSetup {
  readonly exclusive: boolean;
  readonly poison: boolean;
  readonly maxFibers: number;
}

export class ModelGuest {
  readonly index: number;
  readonly setup: GuestSetup;
  readonly space: Space;
  live: ModelFiber[] = [];
  running: ModelFiber | null = null;
  /** Calls without a fiber on the stack. */
  syncCalls = 0;
  closed: string | null = null;
  poisoned = false;
  turn: Turn | null = null;
  queue: Turn[] = [];

  constructor(index: number, setup: GuestSetup, space: Space) {
    this.index = index;
    this.setup = setup;
    this.space = space;
  }

  get busy(): boolean {
    return this.running !== null || this.syncCalls > 0;
  }
}

export class ModelFiber {
  readonly name: string;
  readonly guest: ModelGuest;
  readonly result: Pending;
  readonly body: Generator<Step, number, number>;
  state: 'created' | 'running' | 'suspended' | 'done' = 'created';
  waitingOn: string | ModelFiber | null = null;
  /** The error that it was given last at a wait: the trap of another fiber, passing through, is not its own. */
  delivered: ModelError | null = null;
  /** The import is `gate`: only a command ends this wait. */
  atGate = false;
  /** Counts waits, so that what comes late is recognised. */
  wait = 0;
  cancellation: string | null = null;
  cancelPending = false;
  turn: Turn | null = null;
  outcome: Outcome | null = null;
  /** Plain trampolines on its stack, outermost first, by the argument they were called with. */
  readonly repeated: number[] = [];
  /** Fibers started from it so far. */
  children = 0;

  constructor(world: World, guest: ModelGuest, name: string, block: Block) {
    this.name = name;
    this.guest = guest;
    this.result = new Pending(world);
    this.body = execute(block, new Context(world, guest, this, null));
  }
}

export class World {
  readonly guests: readonly ModelGuest[];
  readonly plans: readonly PlacedPlan[];
  readonly queue: (() => void)[] = [];
  readonly fibers: Map<string, ModelFiber> = new Map();
  /** Fibers started by commands, whose order is certain. */
  readonly roots: ModelFiber[] = [];
  /** How many of them earlier commands have started: plans know no others, since it depends on the backend when they act. */
  known = 0;
  readonly traces: Map<string, string[]> = new Map();
  readonly used: Set<number> = new Set();
  shared: Pending[];
  readonly aborted: (string | null)[] = [null, null];
  readonly subscribers: ModelFiber[][] = [[], []];
  current: ModelFiber | null = null;
  orphans = 0;

  constructor(guests: readonly ModelGuest[], plans: readonly PlacedPlan[]) {
    this.guests = guests;
    this.plans = plans;
    this.shared = [new Pending(this), new Pending(this)];
  }

  /** The fiber that a plan means, if there is one. */
  root(pick: number): ModelFiber | undefined {
    return this.known === 0 ? undefined : this.roots[pick % this.known];
  }

  /** Whoever waits at a shared gate from now on waits at another one. */
  refresh(index: number): void {
    this.shared[index] = new Pending(this);
  }

  /** Runs microtasks until there are none. */
  drain(): void {
    for (let task = this.queue.shift(); task !== undefined; task = this.queue.shift()) task();
  }

  trace(fiber: ModelFiber | null, guest: ModelGuest, what: string): void {
    const name = fiber?.name ?? 'nobody';
    const trace = this.traces.get(name);
    const line = `${guest.index}.${what}`;
    if (trace === undefined) this.traces.set(name, [line]);
    else trace.push(line);
  }

  nextChild(): string {
    return this.current === null ? `nobody.${this.orphans++}` : `${this.current.name}.${this.current.children++}`;
  }

  spawn(guest: ModelGuest, name: string, block: Block, signal: number | null, parent: ModelFiber | null): ModelFiber {
    if (guest.closed !== null) throw new ModelError(guest.closed);
    if (guest.live.length >= guest.setup.maxFibers) throw new ModelError('MAX_FIBERS');
    const fiber = new ModelFiber(this, guest, name, block);
    this.fibers.set(name, fiber);
    guest.live.push(fiber);
    let mine = true;
    if (guest.setup.exclusive) {
      const from = parent ?? this.current;
      const turn = (from !== null && from.guest === guest ? from.turn : null) ?? { live: 0, starts: [] };
      fiber.turn = turn;
      turn.live++;
      mine = guest.turn === null || guest.turn === turn;
      if (mine) guest.turn = turn;
      else {
        if (!guest.queue.includes(turn)) guest.queue.push(turn);
        turn.starts.push(() => this.queue.push(() => this.#begin(fiber)));
      }
    }
    if (signal !== null) {
      const reason = this.aborted[signal] ?? null;
      if (reason !== null) this.cancel(fiber, `CANCELLED(${reason})`);
      else this.subscribers[signal]?.push(fiber);
    }
    if (mine) {
      if (guest.busy) this.queue.push(() => this.#begin(fiber));
      else this.#begin(fiber);
    }
    return fiber;
  }

  #begin(fiber: ModelFiber): void {
    if (fiber.state !== 'created') return;
    if (fiber.guest.busy) this.queue.push(() => this.#begin(fiber));
    else this.#run(fiber, () => fiber.body.next(0));
  }

  deliver(fiber: ModelFiber, outcome: Outcome): void {
    if (fiber.state !== 'suspended') return;
    if (fiber.guest.busy) {
      this.queue.push(() => this.deliver(fiber, outcome));
      return;
    }
    fiber.state = 'running';
    fiber.waitingOn = null;
    fiber.atGate = false;
    this.#soon(() =>
      this.#run(fiber, () => {
        for (const argument of fiber.repeated) this.trace(fiber, fiber.guest, `invoke_ii ${argument} false`);
        if ('value' in outcome) return fiber.body.next(outcome.value);
        fiber.delivered = new ModelError(outcome.error);
        return fiber.body.throw(fiber.delivered);
      }),
    );
  }

  #soon(task: () => void): void {
    if (LATER) this.queue.push(task);
    else task();
  }

  #run(fiber: ModelFiber, step: () => IteratorResult<Step, number>): void {
    const outer = this.current;
    fiber.state = 'running';
    fiber.guest.running = this.current = fiber;
    let outcome: Outcome | null = null;
    let trapped = false;
    let passes = false;
    try {
      const { done, value } = step();
      if (done === true) outcome = { value };
      else passes = value === 'passes';
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      outcome = { error: error.message };
      trapped = error.message === 'trap' && error !== fiber.delivered;
    } finally {
      this.current = outer;
      fiber.guest.running = null;
    }
    const ended = outcome;
    if (ended !== null) this.#soon(() => this.#end(fiber, ended, trapped));
    else if (passes) this.queue.push(() => this.#run(fiber, () => fiber.body.next(0)));
    else fiber.state = 'suspended';
  }

  #end(fiber: ModelFiber, outcome: Outcome, trapped = false): void {
    const { guest } = fiber;
    fiber.state = 'done';
    fiber.wait++;
    fiber.waitingOn = null;
    fiber.outcome = fiber.cancellation === null ? outcome : { error: fiber.cancellation };
    guest.live = guest.live.filter((each) => each !== fiber);
    for (const each of this.subscribers) each.splice(0, each.length, ...each.filter((other) => other !== fiber));
    fiber.result.settle(fiber.outcome);
    if (trapped) this.poison(guest);
    if (fiber.turn !== null) this.#leave(guest, fiber.turn);
  }

  #leave(guest: ModelGuest, turn: Turn): void {
    if (--turn.live > 0) return;
    if (guest.turn !== turn) {
      guest.queue = guest.queue.filter((each) => each !== turn);
      turn.starts = [];
      return;
    }
    guest.turn = guest.queue.shift() ?? null;
    for (const start of guest.turn?.starts.splice(0) ?? []) start();
  }

  poison(guest: ModelGuest): void {
    if (!guest.setup.poison || guest.poisoned) return;
    guest.poisoned = true;
    guest.closed = 'GUEST_POISONED(trap)';
    for (const fiber of guest.live) if (fiber.state !== 'running') this.#end(fiber, { error: guest.closed });
  }

  dispose(guest: ModelGuest): void {
    guest.closed ??= 'DISPOSED';
    for (const fiber of guest.live) {
      if (this.cancel(fiber, 'CANCELLED(DISPOSED)') || fiber.state !== 'suspended' || fiber.cancelPending) continue;
      // It caught its cancellation and waits again: it is interrupted once more.
      this.#interrupt(fiber, fiber.cancellation ?? '');
    }
  }

  cancel(fiber: ModelFiber, error: string): boolean {
    if (fiber.state === 'done' || fiber.cancellation !== null) return false;
    fiber.cancellation = error;
    fiber.cancelPending = true;
    if (fiber.state === 'created') this.#end(fiber, { error });
    else if (fiber.state === 'suspended') this.#interrupt(fiber, error);
    return true;
  }

  #interrupt(fiber: ModelFiber, error: string): void {
    fiber.cancelPending = true;
    fiber.wait++;
    this.queue.push(() => {
      if (!fiber.cancelPending) return;
      fiber.cancelPending = false;
      this.deliver(fiber, { error });
    });
  }

  /** Does `from`, or anybody it waits for, wait for `fiber`? A fiber without its turn waits for all that have it. */
  waitsFor(from: ModelFiber, fiber: ModelFiber, seen: Set<ModelFiber> = new Set()): boolean {
    if (from === fiber) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    const { guest, turn } = from;
    const next = from.waitingOn instanceof ModelFiber ? [from.waitingOn] : [];
    if (from.state === 'created' && turn !== null && guest.turn !== turn) {
      next.push(...guest.live.filter((each) => each.turn === guest.turn));
    }
    return next.some((each) => this.waitsFor(each, fiber, seen));
  }

  sync(guest: ModelGuest, block: Block): number {
    if (guest.closed !== null) throw new ModelError(guest.closed);
    const outer = this.current;
    this.current = guest.running;
    guest.syncCalls++;
    try {
      const { done, value } = execute(block, new Context(this, guest, guest.running, 'sync')).next();
      if (done !== true) throw new Error('a sync call waited in the model');
      return value;
    } catch (error) {
      if (error instanceof ModelError && error.message === 'trap') this.poison(guest);
      throw error;
    } finally {
      guest.syncCalls--;
      this.current = outer;
    }
  }
}

/** What a program sees of the world: who runs it, and what stands between it and the beginning of its fiber. */
class Context implements Environment {
  readonly expected: Int32Array;
  readonly #world: World;
  readonly #guest: ModelGuest;
  readonly #fiber: ModelFiber | null;
  readonly #between: 'sync' | 'host' | null;

  constructor(world: World, guest: ModelGuest, fiber: ModelFiber | null, between: 'sync' | 'host' | null) {
    this.expected = guest.space.expected;
    this.#world = world;
    this.#guest = guest;
    this.#fiber = fiber;
    this.#between = between;
  }

  get #canWait(): boolean {
    return this.#guest.closed === null && this.#fiber !== null && this.#between === null;
  }

  trap(): never {
    throw new ModelError('trap');
  }

  *behind(
    name: 'call' | 'protect' | 'invoke_ii' | 'opaque',
    address: number,
    body: (inner: Environment) => Generator<Step, number, number>,
  ): Generator<Step, number, number> {
    this.#world.trace(this.#fiber, this.#guest, `${name} ${address} ${this.#canWait && name !== 'opaque'}`);
    // What Asyncify executes again JSPI cannot pass.
    const repeats = perBackend({ asyncify: name === 'invoke_ii', jspi: false });
    const passable = repeats || name === 'call' || name === 'protect';
    const between = name === 'opaque' ? 'host' : (this.#between ?? 'host');
    const inner = passable ? this : new Context(this.#world, this.#guest, this.#fiber, between);
    const repeated = repeats && this.#canWait ? this.#fiber?.repeated : undefined;
    repeated?.push(address);
    // The call has a stack of its own, whose end is told to the one that has called the generator.
    const hops = LATER && passable && this.#fiber !== null && this.#between === null ? 2 : 0;
    let outcome: () => number;
    try {
      const value = yield* body(inner);
      outcome = () => value;
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      outcome = () => {
        if (name === 'protect') return CAUGHT;
        throw error;
      };
    } finally {
      repeated?.pop();
    }
    for (let hop = 0; hop < hops; hop++) yield 'passes';
    return outcome();
  }

  *waitValue(name: 'wait_i64' | 'wait_f64', argument: bigint | number): Generator<Step, number, number> {
    this.#world.trace(this.#fiber, this.#guest, `${name} ${argument} ${this.#canWait}`);
    return yield* this.#suspend(name, null, null);
  }

  *wait(id: number): Generator<Step, number, number> {
    const world = this.#world;
    world.trace(this.#fiber, this.#guest, `wait ${id} ${this.#canWait}`);
    const placed = world.plans[id];
    const plan = placed?.plan;
    if (plan === undefined || placed?.kind !== 'wait') throw new Error(`there is no plan ${id}`);
    const at = (outcome: Outcome): Generator<Step, number, number> =>
      this.#suspend('wait', new Pending(world, outcome), null);
    switch (plan.plan) {
      case 'value':
        return 'value' in plan ? plan.value : 0;
      case 'settled':
        return yield* at({ value: plan.value });
      case 'throw':
        throw new ModelError(`plan ${id}`);
      case 'rejected':
        return yield* at({ error: `plan ${id}` });
      case 'shared':
        return yield* this.#suspend('wait', world.shared[plan.pick % 2] ?? null, null);
      case 'cancel':
        if (world.current !== null) world.cancel(world.current, `CANCELLED(plan ${id})`);
        break;
      case 'join': {
        const target = world.root(plan.pick);
        if (target === undefined) return HOST_VALUE;
        return yield* this.#suspend('wait', target.result, target);
      }
      case 'spawn':
      case 'exports': {
        if (placed.block === null || world.used.has(id)) return HOST_VALUE;
        world.used.add(id);
        const guest = plan.plan === 'exports' ? this.#guest : world.guests[plan.guest % world.guests.length];
        if (guest === undefined) return HOST_VALUE;
        let nested: ModelFiber;
        try {
          nested = world.spawn(guest, world.nextChild(), placed.block, null, null);
        } catch (error) {
          if (plan.plan === 'spawn' || !(error instanceof ModelError)) throw error;
          return yield* at({ error: error.message });
        }
        return yield* this.#suspend('wait', nested.result, nested);
      }
    }
    return yield* this.#suspend('wait', null, null);
  }

  /** Waits for a promise, or at a gate. */
  *#suspend(name: string, promise: Pending | null, target: ModelFiber | null): Generator<Step, number, number> {
    const fiber = this.#fiber;
    if (this.#between === 'sync') throw new ModelError('SUSPEND_IN_SYNC_CALL');
    if (fiber === null) throw new ModelError('NO_FIBER');
    if (this.#between === 'host') throw new ModelError('HOST_FRAME');
    if (fiber.cancelPending) {
      fiber.cancelPending = false;
      throw new ModelError(fiber.cancellation ?? '');
    }
    if (this.#guest.closed !== null) throw new ModelError(this.#guest.closed);
    const live = target !== null && target.state !== 'done' ? target : null;
    if (live !== null && this.#world.waitsFor(live, fiber)) throw new ModelError('DEADLOCK');
    fiber.waitingOn = live ?? `env.${name}`;
    fiber.atGate = promise === null;
    const wait = ++fiber.wait;
    promise?.listen((outcome) => {
      if (fiber.wait === wait) this.#world.deliver(fiber, outcome);
    });
    return yield 'waits';
  }

  host(id: number): number {
    const world = this.#world;
    world.trace(this.#fiber, this.#guest, `host ${id} false`);
    const placed = world.plans[id];
    const plan = placed?.plan;
    if (plan === undefined || placed?.kind !== 'host') throw new Error(`there is no plan ${id}`);
    if (plan.plan === 'throw') throw new ModelError(`plan ${id}`);
    if (plan.plan === 'promise') throw new ModelError('NOT_SUSPENDING');
    if (plan.plan === 'cancel' && 'pick' in plan) {
      const target = world.root(plan.pick);
      return target !== undefined && world.cancel(target, `CANCELLED(plan ${id})`) ? 1 : 0;
    }
    if (placed.block === null || !('guest' in plan)) return HOST_VALUE;
    const guest = world.guests[plan.guest % world.guests.length];
    if (guest === undefined) return HOST_VALUE;
    if (plan.plan === 'sync') return world.sync(guest, placed.block);
    if (!world.used.has(id)) {
      world.used.add(id);
      world.spawn(guest, world.nextChild(), placed.block, null, null);
    }
    return HOST_VALUE;
  }
}
