/** Arguments, environment, clocks, random bytes and the end: what a program asks of its process. */
import { CLOCKID } from '../abi.ts';
import { DEFAULT_RESOLUTION } from '../clock.ts';
import { FileError } from '../errors.ts';
import { packStrings } from '../memory.ts';
import { type Steps, settle } from '../steps.ts';
import { eventLoopTurn } from '../turn.ts';
import type { Context, WasiFunctions } from './context.ts';

/** What `crypto.getRandomValues` gives at once. */
const RANDOM_PIECE = 65_536;

/** What a call may ask for: it cannot wait, so that nobody else runs until it has them all. */
const MOST_RANDOM_BYTES = 16 << 20;

export function processFunctions(context: Context): WasiFunctions {
  const { memory, clock } = context;
  const lists = { args: packStrings(context.args), environ: packStrings(context.environment) };

  const sizes = (list: keyof typeof lists) => (countAt: number, bytesAt: number) => {
    memory.setUint32(countAt, lists[list].offsets.length);
    memory.setUint32(bytesAt, lists[list].bytes.length);
  };
  const contents = (list: keyof typeof lists) => (pointersAt: number, stringsAt: number) => {
    const { bytes, offsets } = lists[list];
    memory.check(pointersAt, offsets.length * 4);
    memory.bytes(stringsAt, bytes.length).set(bytes);
    for (const [index, offset] of offsets.entries()) memory.setUint32(pointersAt + index * 4, stringsAt + offset);
  };

  return {
    args_sizes_get: sizes('args'),
    args_get: contents('args'),
    environ_sizes_get: sizes('environ'),
    environ_get: contents('environ'),

    clock_res_get(id: number, resultAt: number) {
      const { realtime, monotonic } = clock.resolution ?? DEFAULT_RESOLUTION;
      memory.setUint64(resultAt, knownClock(id) === CLOCKID.REALTIME ? realtime : monotonic);
    },
    clock_time_get(id: number, _precision: bigint, resultAt: number) {
      memory.setUint64(resultAt, BigInt.asUintN(64, timeOf(context, id)));
    },

    random_get(at: number, length: number) {
      if (length > MOST_RANDOM_BYTES) throw new FileError('EINVAL', `${length} random bytes are too many for one call`);
      memory.check(at, length);
      for (let done = 0; done < length; done += RANDOM_PIECE) {
        context.random(memory.bytes(at + done, Math.min(RANDOM_PIECE, length - done)));
      }
    },

    *sched_yield(): Steps<void> {
      if (context.canWait()) yield* settle(eventLoopTurn());
    },

    proc_exit(code: number) {
      context.exit(code);
    },
    proc_raise() {
      throw new FileError('ENOSYS', 'a program cannot send itself a signal');
    },
  };
}

/** The platform knows nothing of the processor's time: it is taken for what has passed since the program began. */
export function timeOf({ clock, started }: Context, id: number): bigint {
  const known = knownClock(id);
  if (known === CLOCKID.REALTIME) return clock.realtime();
  return known === CLOCKID.MONOTONIC ? clock.monotonic() : clock.monotonic() - started;
}

function knownClock(id: number): number {
  if (id > CLOCKID.THREAD_CPUTIME) throw new FileError('EINVAL', `there is no clock ${id}`);
  return id;
}
