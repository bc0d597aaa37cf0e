/** What a recorder keeps of what happens to fibers: plain data, from which nothing leads back to a fiber, a guest or an error. */
import type { FiberEvent } from '../runtime/api.ts';
import { guestFrames } from '../trace.ts';

/** A fiber of a recording. */
export interface RecordedFiber {
  /** The name of its guest in the recording. */
  readonly guest: string;
  /** `fiber.id`, which is the fiber's own within its guest. */
  readonly id: number;
  readonly name: string;
}

/** An error, as text. */
export interface RecordedError {
  /** Such as `RuntimeError`; of what is no error, its type. */
  readonly name: string;
  readonly message: string;
  /** Of a FiberError, and of errors that have one too. */
  readonly code: string | null;
  /** Of a trap: the guest's frames, innermost first, written as those of `fiber.stack`. */
  readonly frames: readonly string[];
}

/** One thing that happened to one fiber. */
export interface RecordedEvent {
  /** Milliseconds since the recorder was made. */
  readonly time: number;
  readonly type: FiberEvent['type'];
  readonly fiber: RecordedFiber;
  /** At `suspend`, `resume` and `slow`: the import. */
  readonly import: string | null;
  /** At `suspend`: the fiber whose result is waited for. */
  readonly waitsFor: RecordedFiber | null;
  /** At `spawn`: the fiber in whose host function it was spawned. */
  readonly parent: RecordedFiber | null;
  readonly error: RecordedError | null;
  /** At `exclusive`. */
  readonly reason: string | null;
  /** At `end`: the units of fuel that it has used; 0 in a guest that is not metered. */
  readonly fuel: number;
}

/** Longer messages are cut: a guest may have made them. */
const LONGEST = 2000;
const MOST_FRAMES = 50;

/** @param trapped is it worth the time to read where in the guest it happened? */
export function describeError(error: unknown, trapped: boolean): RecordedError {
  try {
    if (!(error instanceof Error)) return { name: typeof error, message: cut(String(error)), code: null, frames: [] };
    const { code } = error as { readonly code?: unknown };
    return {
      name: cut(String(error.name)),
      message: cut(String(error.message)),
      code: typeof code === 'string' ? cut(code) : null,
      frames: trapped ? guestFrames(error.stack, true).slice(0, MOST_FRAMES).map(cut) : [],
    };
  } catch {
    // It has getters that throw, or no way to be text.
    return { name: typeof error, message: 'an error that cannot be read', code: null, frames: [] };
  }
}

function cut(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
}
