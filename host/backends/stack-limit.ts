/**
 * How many stacks JSPI may hold. A process that holds too many is ended by the engine, without an error that could be
 * caught, when Linux gives it no more memory mappings (65,530 by default, shared by all threads): measured at 16,200 stacks
 * in Firefox 153 (four mappings each), 21,500 in Chromium 156 (three), 32,500 in Node 26 (two). The limit is one of a
 * realm, and leaves room for a second one.
 */
import { FiberError } from '../errors.ts';

const MOST_STACKS = 7000;
let stacks = 0;

/**
 * Chromium keeps POOL ended stacks for the next starts and forgets to unmap those beyond, one mapping each, for good: where
 * thousands of fibers end at once again and again, it would end the process too. Estimated, within 4 %, on the safe side.
 */
const POOL = 500;
const MOST_MAPPINGS = 55_000;
let idle = 0;
let forgotten = 0;
const isChromiumOnLinux = /(?:Linux|Android|CrOS).* Chrome\//.test(
  (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? '',
);

/** One more stack is about to be made. @throws FiberError `MAX_STACKS` */
export function takeStack(): void {
  if (idle > POOL) {
    forgotten += idle - POOL;
    idle = POOL;
  }
  if (stacks >= MOST_STACKS || (isChromiumOnLinux && 3 * (stacks + idle) + forgotten > MOST_MAPPINGS)) {
    throw new FiberError(
      'MAX_STACKS',
      `JSPI holds ${stacks} stacks of fibers that have not ended, and ${forgotten} that the engine has not freed: with more it might end the process. Let fewer wait at once, or use Asyncify: instrument with --target asyncify or both, and set the option backend to 'asyncify'.`,
    );
  }
  if (idle > 0) idle--;
  stacks++;
}

/** A stack has ended. */
export function giveStackBack(): void {
  stacks--;
  idle++;
}
