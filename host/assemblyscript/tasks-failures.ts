/**
 * What tasks failed with. An error is kept for as long as the guest can ask for it; one that nobody has ever asked for is
 * reported, once.
 */
import { FiberError, type FiberErrorCode } from '../errors.ts';
import type { Fiber } from '../runtime/api.ts';

interface Failed {
  readonly fiber: Fiber;
  readonly error: unknown;
  /** The guest can ask for it. */
  reachable: boolean;
  /** What the guest was told of it: an error may describe itself differently each time. */
  description: Description | null;
}

interface Description {
  readonly code: string;
  readonly message: string;
}

/**
 * A failure that the guest made itself: `Future.fail`, or `unwrap` of a result that failed without an error of the host.
 */
export class TaskError extends Error {
  /** As the guest gave it. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'TaskError';
    this.code = code;
  }
}

/** Codes with which the guest fails as the host does. */
const OWN_CODES: readonly FiberErrorCode[] = ['DEADLOCK', 'TIMEOUT', 'CANCELLED', 'NO_FIBER'];

export function guestError(code: string, message: string): Error {
  const own = OWN_CODES.find((each) => each === code);
  return own === undefined ? new TaskError(code, message) : new FiberError(own, message);
}

/** For `Failure.code`. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'Error';
  try {
    const { code, name } = error as { readonly code?: unknown; readonly name?: unknown };
    if (typeof code === 'string' && code !== '') return code;
    if (error instanceof WebAssembly.RuntimeError) return 'TRAP';
    return typeof name === 'string' && name !== '' ? name : 'Error';
  } catch {
    // It cannot be looked at: a proxy, a getter that throws.
    return 'Error';
  }
}

/** For `Failure.message`. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return 'an error without a description';
  }
}

export class TaskFailures {
  readonly #failed = new Map<number, Failed>();
  readonly #unseen = new Set<number>();
  readonly #onTaskError: (error: unknown, fiber: Fiber) => unknown;

  constructor(onTaskError: (error: unknown, fiber: Fiber) => unknown = rejectUnhandled) {
    this.#onTaskError = onTaskError;
  }

  /** @param matters will be reported if nobody asks for it */
  add(fiber: Fiber, error: unknown, matters: boolean): void {
    this.#failed.set(fiber.id, { fiber, error, reachable: true, description: null });
    if (matters) this.#unseen.add(fiber.id);
  }

  /** The error of a fiber; whoever asks has seen it. */
  see(id: number): unknown {
    this.#unseen.delete(id);
    return (this.#failed.get(id) ?? unknownFailure(id)).error;
  }

  /** What the guest is told of it, the same each time; whoever asks has seen it. */
  describe(id: number): Description {
    this.#unseen.delete(id);
    const failed = this.#failed.get(id) ?? unknownFailure(id);
    return (failed.description ??= { code: codeOf(failed.error), message: messageOf(failed.error) });
  }

  /** The guest cannot ask for it any more. */
  forget(id: number): void {
    const failed = this.#failed.get(id);
    if (failed === undefined) return;
    failed.reachable = false;
    if (this.#unseen.has(id)) this.#report(id);
    else this.#failed.delete(id);
  }

  /** The guest never could. */
  forgetUnlessUnseen(id: number): void {
    const failed = this.#failed.get(id);
    if (failed === undefined) return;
    failed.reachable = false;
    if (!this.#unseen.has(id)) this.#failed.delete(id);
  }

  /** Is there anything to report? */
  get unseen(): boolean {
    return this.#unseen.size > 0;
  }

  /** Reports what nobody has asked for. It can still be asked for, later. */
  report(): void {
    for (const id of this.#unseen) this.#report(id);
  }

  #report(id: number): void {
    this.#unseen.delete(id);
    const failed = this.#failed.get(id);
    if (failed === undefined) return;
    if (!failed.reachable) this.#failed.delete(id);
    // The collector of the guest may be running.
    queueMicrotask(() => void this.#onTaskError(failed.error, failed.fiber));
  }
}

function unknownFailure(id: number): Pick<Failed, 'error' | 'description'> {
  return {
    error: new FiberError('INTERNAL', `The guest asked for the error of fiber ${id}, which has none.`),
    description: null,
  };
}

async function rejectUnhandled(error: unknown): Promise<never> {
  throw error;
}
