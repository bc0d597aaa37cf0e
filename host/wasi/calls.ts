/**
 * What is under way in a program's calls, and what becomes of it when a fiber is cancelled or the program ends:
 *
 * - A change of files that was begun is finished, and whoever ends the program waits for it; none is begun afterwards.
 * - What only looks or reads is not waited for: it may never come.
 * - Nothing is written into the memory that a call was made with, and no input is taken for it: the memory may be another
 *   fiber's by now, and the input is for whoever reads next.
 *
 * The work of a call runs in steps with waits between them, so that at each moment at most one call is being worked on, and one
 * place knows whose it is.
 */
import { canSuspend, currentFiber } from '../index.ts';
import { FileError } from './errors.ts';
import { type Awaitable, type Steps, isPromise, perform, settle } from './steps.ts';

interface Call {
  /** Has it begun to change something? */
  changes: boolean;
  /** Of the fiber that has called; null if none has, undefined until somebody asks. */
  signal: AbortSignal | null | undefined;
  /** Was the fiber cancelled before? Then it is cleaning up, and does wait for this. */
  cleansUp: boolean;
  /** The caller was never suspended: what comes is too late for it. */
  isTooLate: boolean;
  /** Null as long as nothing had to be waited for. Never rejects. */
  finished: Promise<unknown> | null;
}

export class Calls {
  #current: Call | null = null;
  /** Those that have to wait. */
  readonly #waiting = new Set<Call>();
  #ended = false;

  /** Does the work of one call of the guest that runs at this moment. */
  perform(steps: Steps<void>): Promise<void> | void {
    const call: Call = { changes: false, signal: undefined, cleansUp: false, isTooLate: false, finished: null };
    const result = perform(steps, (step) => this.#step(call, step));
    if (!(result instanceof Promise)) return;
    // This is still the turn in which the guest has called.
    signalOf(call);
    call.isTooLate = !canSuspend();
    this.#waiting.add(call);
    const finish = (): void => void this.#waiting.delete(call);
    call.finished = result.then(finish, finish);
    return result;
  }

  /** Aborted when the fiber whose call is being worked on is cancelled; null if there is none. */
  get signal(): AbortSignal | null {
    return this.#current === null ? null : signalOf(this.#current);
  }

  /**
   * To be asked before something is given to the caller.
   *
   * @throws FileError `EINTR` if it does not wait for that any more; nobody sees it
   */
  mustBeAwaited(): void {
    if (this.#isAbandoned) throw new FileError('EINTR', 'the caller does not wait any more');
  }

  /** What only reads: it is given up when the caller is cancelled. */
  *look<T>(value: Awaitable<T>): Steps<T> {
    const { signal } = this;
    if (!isPromise(value) || signal === null || this.#current?.cleansUp === true) return yield* settle(value);
    let giveUp: (() => void) | undefined;
    const given = new Promise<never>((_, reject) => {
      giveUp = () => reject(new FileError('EINTR', 'the caller does not wait any more'));
      if (signal.aborted) giveUp();
      else signal.addEventListener('abort', giveUp);
    });
    try {
      return yield* settle(Promise.race([value, given]));
    } finally {
      if (giveUp !== undefined) signal.removeEventListener('abort', giveUp);
    }
  }

  /**
   * What changes something.
   *
   * @throws FileError `EINTR` if nobody wants that any more
   */
  *change<T>(work: () => Awaitable<T>): Steps<T> {
    if (this.#ended) throw new FileError('EINTR', 'the program has ended');
    this.mustBeAwaited();
    if (this.#current !== null) this.#current.changes = true;
    return yield* settle(work());
  }

  /** Nothing is begun any more. Resolves when what was begun is finished. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all([...this.#waiting].map(({ changes, finished }) => (changes ? finished : null)));
  }

  get #isAbandoned(): boolean {
    const call = this.#current;
    if (call === null || call.finished === null) return false;
    return call.isTooLate || (!call.cleansUp && call.signal?.aborted === true);
  }

  #step<T>(call: Call, step: () => T): T {
    const before = this.#current;
    this.#current = call;
    try {
      return step();
    } finally {
      this.#current = before;
    }
  }
}

/** To be asked for in the turn in which the guest has called. */
function signalOf(call: Call): AbortSignal | null {
  if (call.signal === undefined) {
    call.signal = currentFiber()?.signal ?? null;
    call.cleansUp = call.signal?.aborted === true;
  }
  return call.signal;
}
