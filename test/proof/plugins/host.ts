/**
 * Host functions of a random plugin: they answer at once, later, never, with an error, or with what no guest can take; and they
 * look at what they are given.
 */
import type { HostFunction, HostFunctions } from 'wasm-fibers/plugin';
import type { Random } from '../random.ts';

/** What such a host function fails with: the call must reject with the very same, or with its own. */
export class Refusal extends Error {
  override readonly name: string = 'Refusal';
}

export interface RandomHost {
  readonly functions: HostFunctions;
  /** What must not have happened. */
  readonly complaints: readonly string[];
}

/** Milliseconds that an answer takes at most. */
const LATEST = 4;

const NONSENSE = [
  undefined,
  null,
  {},
  'text',
  Symbol('answer'),
  () => 1,
  [1, 2],
  { valueOf: () => 7 },
  Object.create(null) as object,
] as const;

/** Settles twice, or throws as it is asked, as no promise does. */
const strange = (value: unknown, random: Random): PromiseLike<unknown> =>
  ({
    // oxlint-disable-next-line unicorn/no-thenable -- What is tested is what becomes of one.
    then(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
      if (random.chance(0.3)) throw new Refusal('then throws');
      resolve(value);
      if (random.chance(0.5)) resolve(value);
      else reject(new Refusal('it has resolved'));
    },
  }) as PromiseLike<unknown>;

function later<T>(
  run: (resolve: (value: T) => void, reject: (error: unknown) => void) => void,
  random: Random,
): Promise<T> {
  const ms = random.below(LATEST + 1);
  return new Promise((resolve, reject) => {
    if (ms === 0) queueMicrotask(() => run(resolve, reject));
    else setTimeout(() => run(resolve, reject), ms);
  });
}

export function randomHost(module: WebAssembly.Module, random: Random): RandomHost {
  const complaints: string[] = [];
  const functions: Record<string, Record<string, HostFunction>> = {};
  /** How often it answers as it should, and at once. */
  const obliging = random.pick([0.3, 0.9, 0.99]);
  const answer = (): unknown => {
    const value = random.chance(0.9) ? random.below(64) : random.chance(0.5) ? BigInt(random.next()) : 0.5;
    if (random.chance(obliging)) return value;
    switch (random.below(8)) {
      case 0:
      case 1:
      case 2:
        return later((resolve) => resolve(value), random);
      case 3:
        return later((_, reject) => reject(new Refusal('rejected')), random);
      case 4:
        return random.chance(0.05) ? new Promise(() => {}) : value;
      case 5:
        return strange(value, random);
      case 6:
        return random.pick(NONSENSE);
      default:
        if (random.chance(0.2)) throw new Refusal('thrown');
        return value;
    }
  };
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind !== 'function') continue;
    (functions[from] ??= {})[name] = function (this: unknown, ...args: unknown[]): unknown {
      if (this !== undefined) complaints.push(`${from}.${name} was called with a this`);
      const odd = args.find((each) => typeof each === 'object' && each !== null && !isReference(each));
      if (odd !== undefined) complaints.push(`${from}.${name} was given an object of the library`);
      return answer();
    } as HostFunction;
  }
  return { functions, complaints };
}

/** What a guest has got from a host function, or made itself: no part of the library or of the plugin. */
function isReference(value: object): boolean {
  return !(
    value instanceof WebAssembly.Instance ||
    value instanceof WebAssembly.Module ||
    value instanceof Promise ||
    value === globalThis
  );
}
