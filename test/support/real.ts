// The real counterpart of the model: guests of mixed.wat whose host functions follow the same plans, and a record of all
// that can be observed.
import { canSuspend, currentFiber, type Fiber, FiberError, type Guest, instantiate, reentrant } from 'wasm-fibers';
import { type GuestSetup } from './model.ts';
import { CAUGHT, HOST_VALUE, type PlacedPlan } from './programs.ts';

export interface MixedExports {
  run(address: number): number;
  stack_pointer(): number;
  memory: WebAssembly.Memory;
  table: WebAssembly.Table;
}

export interface RealSetup extends GuestSetup {
  readonly windowSize: number;
  readonly stackSize: number;
}

export interface Settler {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** What an error is, in the words of the model. */
export function describe(error: unknown): string {
  if (error instanceof FiberError) {
    return error.cause === undefined ? error.code : `${error.code}(${describe(error.cause)})`;
  }
  if (error instanceof WebAssembly.RuntimeError) return 'trap';
  return error instanceof Error ? error.message : String(error);
}

export interface RealFiber {
  readonly fiber: Fiber<number>;
  outcome: { value: number } | { error: string } | null;
  failure: unknown;
}

export class Reality {
  readonly guests: Guest<MixedExports>[] = [];
  readonly fibers: Map<string, RealFiber> = new Map();
  readonly roots: RealFiber[] = [];
  /** How many of them plans know, as in the model. */
  known = 0;
  readonly traces: Map<string, string[]> = new Map();
  readonly gates: Map<string, Settler> = new Map();
  readonly aborts: readonly AbortController[] = [new AbortController(), new AbortController()];
  shared: { promise: Promise<number>; settler: Settler }[] = [settleable(), settleable()];
  readonly #plans: readonly PlacedPlan[];
  readonly #names = new WeakMap<Fiber, string>();
  readonly #used = new Set<number>();
  readonly #children = new Map<string, number>();

  constructor(plans: readonly PlacedPlan[]) {
    this.#plans = plans;
  }

  async add(
    module: WebAssembly.Module,
    { exclusive, poison, maxFibers, windowSize, stackSize }: RealSetup,
  ): Promise<void> {
    const index = this.guests.length;
    // The function itself: JSPI enters no other than the guest's own.
    const at = (): ((address: number) => number) => guest.exports.table.get(0) as (address: number) => number;
    const trace = (what: string): void => {
      const name = this.nameOf(currentFiber()) ?? 'nobody';
      const trace = this.traces.get(name);
      const line = `${index}.${what} ${canSuspend()}`;
      if (trace === undefined) this.traces.set(name, [line]);
      else trace.push(line);
    };
    const gate = (): Promise<number> => this.#gate((value) => value);
    const guest: Guest<MixedExports> = await instantiate<MixedExports>(
      module,
      {
        env: {
          wait: (id: number) => {
            trace(`wait ${id}`);
            return this.#wait(guest, id, gate);
          },
          wait_i64: (x: bigint) => {
            trace(`wait_i64 ${x}`);
            return this.#gate(BigInt);
          },
          wait_f64: (x: number) => {
            trace(`wait_f64 ${x}`);
            return gate();
          },
          call: reentrant(function* (call, _fn: number, address: number) {
            trace(`call ${address}`);
            return yield call(at(), address);
          }),
          protect: reentrant(function* (call, _fn: number, address: number) {
            trace(`protect ${address}`);
            try {
              return yield call(at(), address);
            } catch {
              return CAUGHT;
            }
          }),
          invoke_ii: (_fn: number, address: number) => {
            trace(`invoke_ii ${address}`);
            return at()(address);
          },
          opaque: (_fn: number, address: number) => {
            trace(`opaque ${address}`);
            return at()(address);
          },
          host: (id: number) => {
            trace(`host ${id}`);
            return this.#host(guest, id);
          },
        },
      },
      { exclusive, maxFibers, windowSize, stackSize, onTrap: poison ? 'poison' : 'continue' },
    );
    this.guests.push(guest);
  }

  nameOf(fiber: Fiber | string | null): string | null {
    if (fiber === null || typeof fiber === 'string') return fiber;
    return this.#names.get(fiber) ?? fiber.name;
  }

  track(name: string, fiber: Fiber<number>): RealFiber {
    const real: RealFiber = { fiber, outcome: null, failure: undefined };
    this.#names.set(fiber, name);
    this.fibers.set(name, real);
    fiber.result.then(
      (value) => (real.outcome = { value }),
      (error: unknown) => {
        real.outcome = { error: describe(error) };
        real.failure = error;
      },
    );
    return real;
  }

  /** Whoever waits at a shared gate from now on waits at another one. */
  refresh(index: number): void {
    this.shared[index] = settleable();
  }

  /** A wait that a command ends. Converted before it settles, since a reaction in between would let others overtake. */
  #gate<T>(convert: (value: number) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const settler: Settler = { resolve: (value) => resolve(convert(Number(value))), reject };
      this.gates.set(this.nameOf(currentFiber()) ?? 'nobody', settler);
    });
  }

  error(id: number): Error {
    return (this.#errors[id] ??= new Error(`plan ${id}`));
  }
  readonly #errors: Error[] = [];

  #root(pick: number): RealFiber | undefined {
    return this.known === 0 ? undefined : this.roots[pick % this.known];
  }

  #nextChild(): string {
    const parent = this.nameOf(currentFiber()) ?? 'nobody';
    const child = this.#children.get(parent) ?? 0;
    this.#children.set(parent, child + 1);
    return `${parent}.${child}`;
  }

  #wait(guest: Guest<MixedExports>, id: number, gate: () => Promise<number>): unknown {
    const placed = this.#plans[id];
    const plan = placed?.plan;
    switch (plan?.plan) {
      case 'value':
        return 'value' in plan ? plan.value : 0;
      case 'settled':
        return Promise.resolve(plan.value);
      case 'throw':
        throw this.error(id);
      case 'rejected':
        return Promise.reject(this.error(id));
      case 'shared':
        return this.shared[plan.pick % 2]?.promise;
      case 'cancel':
        currentFiber()?.cancel(new Error(`plan ${id}`));
        return gate();
      case 'join':
        return this.#root(plan.pick)?.fiber.result ?? HOST_VALUE;
      case 'spawn':
      case 'exports': {
        if (placed?.block === null || placed === undefined || !('guest' in plan) || this.#used.has(id))
          return HOST_VALUE;
        this.#used.add(id);
        if (plan.plan === 'spawn') {
          return this.#spawn(this.guests[plan.guest % this.guests.length] ?? guest, placed.block.address).fiber.result;
        }
        const before = new Set(guest.fibers);
        const promise = guest.exports.run(placed.block.address);
        const fiber = guest.fibers.find((each) => !before.has(each));
        if (fiber !== undefined) this.track(this.#nextChild(), fiber as Fiber<number>);
        else this.#nextChildRefused();
        return promise;
      }
      default:
        return gate();
    }
  }

  /** The model names a child before it is refused. */
  #nextChildRefused(): void {
    this.#nextChild();
  }

  #spawn(guest: Guest<MixedExports>, address: number): RealFiber {
    const name = this.#nextChild();
    return this.track(name, guest.spawn('run', [address], { name }));
  }

  #host(guest: Guest<MixedExports>, id: number): unknown {
    const placed = this.#plans[id];
    const plan = placed?.plan;
    if (plan?.plan === 'throw') throw this.error(id);
    if (plan?.plan === 'promise') return Promise.reject(this.error(id));
    if (plan?.plan === 'grow') growBy(guest.memory, 1);
    if (plan?.plan === 'cancel' && 'pick' in plan) {
      const target = this.#root(plan.pick);
      return target?.fiber.cancel(new Error(`plan ${id}`)) ? 1 : 0;
    }
    if (plan === undefined || placed?.block === null || placed === undefined || !('guest' in plan)) return HOST_VALUE;
    const target = this.guests[plan.guest % this.guests.length] ?? guest;
    if (plan.plan === 'sync') return target.sync.run(placed.block.address);
    if (!this.#used.has(id)) {
      this.#used.add(id);
      this.#spawn(target, placed.block.address);
    }
    return HOST_VALUE;
  }
}

/** Grows the memory, or leaves it where its maximum is reached. */
export function growBy(memory: WebAssembly.Memory, pages: number): void {
  try {
    memory.grow(pages);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

export function settleable(): { promise: Promise<number>; settler: Settler } {
  let resolve: (value: unknown) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<number>((yes, no) => {
    resolve = yes as (value: unknown) => void;
    reject = no;
  });
  return { promise, settler: { resolve, reject } };
}
