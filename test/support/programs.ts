// Random programs for the interpreter in test/guests/wat/mixed.wat: what they are made of, how fast-check makes them, how
// they lie in guest memory, and what they compute. The last is a generator that yields where the guest would wait: a
// fiber's stack, as the model sees it.
import * as fc from 'fast-check';

/** What a host function does when a program waits at it. Programs inside of a plan run as fibers of their own. */
export type Plan =
  | { readonly plan: 'gate' | 'throw' | 'rejected' | 'cancel' }
  | { readonly plan: 'value' | 'settled'; readonly value: number }
  | { readonly plan: 'shared' | 'join'; readonly pick: number }
  | { readonly plan: 'spawn' | 'exports'; readonly guest: number; readonly program: Program };

/** What a host function does that cannot wait. */
export type HostPlan =
  | { readonly plan: 'value' | 'throw' | 'promise' | 'grow' }
  | { readonly plan: 'cancel'; readonly pick: number }
  | { readonly plan: 'sync' | 'spawn'; readonly guest: number; readonly program: Program };

const NESTED = { run: 4, call: 5, protect: 6, invoke: 7, opaque: 8, deep: 9, indirect: 12 } as const;

export type Op =
  | { readonly op: 'wait'; readonly plan: Plan; readonly count: number }
  | { readonly op: 'i64' | 'f64'; readonly x: number; readonly count: number }
  | { readonly op: keyof typeof NESTED; readonly program: Program; readonly count: number }
  | { readonly op: 'host'; readonly plan: HostPlan; readonly count: number }
  | { readonly op: 'grow' | 'trap'; readonly count: number };

export type Program = readonly Op[];

const CODES = { ...NESTED, trap: 13, wait: 1, i64: 2, f64: 3, host: 10, grow: 11 } as const;
const DEPTH = 12;
const HOST_VALUE = 5;
/** What the generator `protect` gives for an error. */
export const CAUGHT = -7;

const small = fc.integer({ min: -1000, max: 1000 });
const pick = fc.nat({ max: 30 });
const count = fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constant(3) });

export const programs: fc.Arbitrary<Program> = fc.letrec<{ program: Program; op: Op; plan: Plan; host: HostPlan }>(
  (tie) => ({
    program: fc.array(tie('op'), { maxLength: 4, depthIdentifier: 'program' }),
    op: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'program', withCrossShrink: true },
      { weight: 8, arbitrary: fc.record({ op: fc.constant('wait' as const), plan: tie('plan'), count }) },
      { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('i64' as const, 'f64' as const), x: small, count }) },
      {
        weight: 8,
        arbitrary: fc.record({
          op: fc.constantFrom('run', 'call', 'protect', 'protect', 'invoke', 'invoke', 'opaque', 'deep', 'indirect'),
          program: tie('program'),
          count,
        }),
      },
      { weight: 3, arbitrary: fc.record({ op: fc.constant('host' as const), plan: tie('host'), count }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('grow' as const, 'trap' as const), count }) },
    ),
    plan: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'program' },
      { weight: 8, arbitrary: fc.record({ plan: fc.constant('gate' as const) }) },
      { weight: 1, arbitrary: fc.record({ plan: fc.constantFrom('throw' as const, 'rejected' as const, 'cancel') }) },
      {
        weight: 2,
        arbitrary: fc.record({ plan: fc.constantFrom('value' as const, 'settled' as const), value: small }),
      },
      { weight: 3, arbitrary: fc.record({ plan: fc.constantFrom('shared' as const, 'join' as const), pick }) },
      {
        weight: 3,
        arbitrary: fc.record({
          plan: fc.constantFrom('spawn' as const, 'exports' as const),
          guest: pick,
          program: tie('program'),
        }),
      },
    ),
    host: fc.oneof(
      { maxDepth: 4, depthIdentifier: 'program' },
      { weight: 2, arbitrary: fc.record({ plan: fc.constantFrom('value', 'throw', 'promise', 'grow') }) },
      { weight: 1, arbitrary: fc.record({ plan: fc.constant('cancel' as const), pick }) },
      {
        weight: 4,
        arbitrary: fc.record({
          plan: fc.constantFrom('sync' as const, 'spawn' as const),
          guest: pick,
          program: tie('program'),
        }),
      },
    ),
  }),
).program;

/** A program in the memory of a guest: plans and inner programs have become numbers. */
export interface Block {
  readonly address: number;
  readonly ops: readonly PlacedOp[];
}

export interface PlacedOp {
  readonly op: Op['op'];
  readonly argument: number;
  readonly count: number;
  readonly block: Block | null;
}

/** A plan with its program placed in the guest where it will run. */
export interface PlacedPlan {
  readonly id: number;
  readonly kind: 'wait' | 'host';
  readonly plan: Plan | HostPlan;
  readonly block: Block | null;
}

/** Where programs are put: one per guest. */
export interface Space {
  readonly expected: Int32Array;
  next: number;
}

/** Writes a program into `spaces[guest]`, and what it will start elsewhere into the space of that guest. */
export function place(program: Program, guest: number, spaces: readonly Space[], plans: PlacedPlan[]): Block {
  const space = spaces[guest % spaces.length];
  if (space === undefined) throw new Error('there are no guests');
  const placePlan = (kind: 'wait' | 'host', plan: Plan | HostPlan): number => {
    // `exports` is meant for the same guest, the only one that is busy for certain and starts nothing at once.
    const target = plan.plan === 'exports' ? guest : 'guest' in plan ? plan.guest : 0;
    const block = 'program' in plan ? place(plan.program, target, spaces, plans) : null;
    return plans.push({ id: plans.length, kind, plan, block }) - 1;
  };
  const ops = program.map((op): PlacedOp => {
    const block = 'program' in op ? place(op.program, guest, spaces, plans) : null;
    const argument = block !== null ? block.address : 'x' in op ? op.x : 'plan' in op ? placePlan(op.op, op.plan) : 0;
    return { op: op.op, argument, count: op.count, block };
  });
  const address = space.next;
  for (const { op, argument, count } of ops) {
    space.expected.set([CODES[op], argument, count, 0], space.next / 4);
    space.next += 16;
  }
  // The end: code 0.
  space.next += 16;
  return { address, ops };
}

/** What a program can do to the world around it, in one call. */
export interface Environment {
  /** Programs in the memory of the guest that runs. */
  readonly expected: Int32Array;
  wait(id: number): Generator<'waits' | 'passes', number, number>;
  waitValue(name: 'wait_i64' | 'wait_f64', argument: bigint | number): Generator<'waits' | 'passes', number, number>;
  host(id: number): number;
  trap(): never;
  /** Runs a program behind a host function of this name. */
  behind(
    name: 'call' | 'protect' | 'invoke_ii' | 'opaque',
    address: number,
    body: (inner: Environment) => Generator<'waits' | 'passes', number, number>,
  ): Generator<'waits' | 'passes', number, number>;
}

/** What the guest computes. */
export function* execute(block: Block, env: Environment): Generator<'waits' | 'passes', number, number> {
  let acc = 0;
  let big = 5_000_000_000n;
  let float = 0.5;
  const inner = (placed: PlacedOp) => (outer: Environment) => execute(placed.block ?? block, outer);
  for (const [at, placed] of block.ops.entries()) {
    env.expected[block.address / 4 + at * 4 + 3] = acc;
    let value = 0;
    for (let turn = 0; turn < Math.max(1, placed.count); turn++) {
      let result = 0;
      const { op, argument } = placed;
      if (op === 'trap') env.trap();
      else if (op === 'wait') result = yield* env.wait(argument);
      else if (op === 'host') result = env.host(argument);
      else if (op === 'grow') result = 3;
      else if (op === 'i64') {
        big = BigInt.asIntN(
          64,
          big * 3n + BigInt(yield* env.waitValue('wait_i64', BigInt.asIntN(64, big + BigInt(argument)))),
        );
        result = 1;
      } else if (op === 'f64') {
        float += yield* env.waitValue('wait_f64', float + argument);
        result = 2;
      } else if (op === 'run' || op === 'indirect') result = yield* inner(placed)(env);
      else if (op === 'deep') result = (DEPTH + (yield* inner(placed)(env))) | 0;
      else result = yield* env.behind(op === 'invoke' ? 'invoke_ii' : op, argument, inner(placed));
      value = (Math.imul(value, 7) + result) | 0;
    }
    acc = (Math.imul(acc, 31) + value) | 0;
  }
  return (acc + Number(BigInt.asIntN(32, big)) + Math.trunc(float)) | 0;
}

export { HOST_VALUE };
