/**
 * Who runs next of the fibers that were pre-empted: one slice in each turn of the event loop, so that timers, input and
 * everybody else come in between, however many guests are busy.
 *
 * They share the thread by weight. Each guest has a clock of its own, which goes by the time that its slices take, divided by its
 * weight; the one whose clock is furthest behind runs next. A guest that was idle does not save up for later: its clock is put
 * forward to where those that ran are.
 */
import { hop } from './fairness.ts';

/** A guest's share of the thread. */
export class Share {
  readonly weight: number;
  /** Milliseconds by its own clock. */
  clock = 0;

  constructor(weight: number) {
    this.weight = weight;
  }

  /** It has run so many milliseconds. */
  spend(time: number): void {
    this.clock += time / this.weight;
  }
}

interface Waiting {
  readonly share: Share;
  readonly resume: () => void;
}

/**
 * Milliseconds that metered guests have run in this turn of the event loop, about: fibers that begin or go on one after the other, in
 * however many guests, are to hold the thread for one slice together.
 */
let spent = 0;
let forgetting = false;
/** Less is not worth a hop. */
const LITTLE = 1;

export function spentInTurn(): number {
  return spent;
}

/** A fiber has run for so many milliseconds. */
export function spendInTurn(time: number): void {
  spent += time;
  if (spent < LITTLE || forgetting) return;
  forgetting = true;
  hop(() => {
    forgetting = false;
    spent = 0;
  });
}

/** Milliseconds between two frames of a page. */
const FRAME = 16;
/** When a turn was last one in which there was nothing to do for a moment. */
let idle = 0;

/**
 * A turn of the event loop in which a page that somebody looks at is drawn, too. Firefox draws when there is nothing else to do: as
 * long as messages follow each other, a page beside a busy guest has 13 frames a second. A timer of 0 ms comes as soon as a message
 * does; one of 1 ms every frame leaves room enough. In a page that nobody sees it might come a second later.
 */
function hopAndDraw(task: () => void): void {
  const { document } = globalThis as { readonly document?: { readonly visibilityState: string } };
  const now = performance.now();
  if (document?.visibilityState !== 'visible' || now - idle < FRAME) return hop(task);
  idle = now;
  setTimeout(task, 1);
}

let waiting: readonly Waiting[] = [];
let hopping = false;
/** Where the clock was of the guest that ran last. */
let now = 0;

/** Resolves when the guest is to run its next slice, at the earliest in the next turn of the event loop. */
export function nextSlice(share: Share): Promise<void> {
  share.clock = Math.max(share.clock, now);
  return new Promise((resume) => {
    waiting = [...waiting, { share, resume }];
    if (!hopping) hopOn();
  });
}

function hopOn(): void {
  hopping = true;
  hopAndDraw(() => {
    hopping = false;
    const next = waiting.reduce((first, each) => (each.share.clock < first.share.clock ? each : first));
    waiting = waiting.filter((each) => each !== next);
    now = next.share.clock;
    spent = 0;
    // Before it runs: the turn for the next one may come before it ends its slice, but not within it.
    if (waiting.length > 0) hopOn();
    next.resume();
  });
}
