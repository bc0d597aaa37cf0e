/** What a host function may return in place of a value. */
import type { Random } from './random.ts';

/** Something that settles by itself, sooner or later. @param settle gives the value, or throws */
export function eventually(random: Random, settle: () => unknown): unknown {
  switch (random.below(16)) {
    case 0:
      // Another turn of the event loop.
      return new Promise<void>((resolve) => setImmediate(resolve)).then(settle);
    case 1:
    case 2:
      return foreign(settle);
    case 3:
    case 4:
      return Promise.resolve()
        .then(() => undefined)
        .then(settle);
    default:
      return (async () => settle())();
  }
}

/** A promise that is not the platform's. */
function foreign(settle: () => unknown): PromiseLike<unknown> {
  const promise = (async () => settle())();
  // What is tested is that it is none of the engine's.
  // oxlint-disable-next-line unicorn/no-thenable
  return { then: (onValue, onError) => promise.then(onValue, onError) };
}
