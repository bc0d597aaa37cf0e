/**
 * A loop over settled promises never leaves the microtask queue, and starves timers and everybody else. Therefore
 * resumes are counted, and when they have gone on for a slice without a turn of the event loop, the next one waits for
 * one. Resumes that come meanwhile wait for the same turn, so that the order of arrival is kept; afterwards all go on as
 * promise reactions, each in its own async context.
 *
 * The count is shared by all guests, as the event loop is. Reading the clock costs as much as a switch, so it is read
 * every few resumes only: the fewer, the longer they take.
 */

/** Milliseconds that resumes may follow each other without a turn of the event loop. */
const SLICE = 8;
const MOST_RESUMES = 256;
/** Not fewer, since the clock cannot tell long resumes from rare ones. */
const LEAST_RESUMES = 16;

let interval = MOST_RESUMES;
let count = 0;
let sliceStart = 0;
/** Resolves after the next turn of the event loop; null if nobody waits for one. */
let turn: Promise<void> | null = null;

/** Must this resume wait for a turn of the event loop? */
export function mustYield(): boolean {
  return turn !== null || (++count >= interval && sliceIsOver());
}

function sliceIsOver(): boolean {
  count = 0;
  const over = performance.now() - sliceStart > SLICE;
  interval = over ? Math.max(LEAST_RESUMES, interval >> 1) : Math.min(MOST_RESUMES, interval << 1);
  return over;
}

/** Runs the resume after a turn of the event loop, behind all others that wait for one, in its own async context. */
export function afterTurn(resume: () => void): void {
  turn ??= new Promise((resolve) => {
    hop(() => {
      turn = null;
      sliceStart = performance.now();
      resolve();
    });
  });
  void turn.then(resume);
}

/**
 * Not `scheduler.yield`: its continuations come before everything else, and in Firefox 153 timers never fire while a fiber
 * polls. The async context does not depend on how the turn is taken, since each resume is a reaction of its own.
 */
export function hop(task: () => void): void {
  const { setImmediate } = globalThis as { readonly setImmediate?: (task: () => void) => unknown };
  if (setImmediate !== undefined) setImmediate(task);
  else if (typeof MessageChannel === 'function') {
    // One channel per hop, closed at once: an idle port would keep the process alive.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      task();
    };
    port2.postMessage(null);
  } else setTimeout(task);
}
