/** Why a wait cannot be, and what it means when switching was interrupted: the sentences of the backends. */
import { FiberError, type FiberErrorCode } from '../errors.ts';
import { guestFrames, isStackOverflow, RECURSE_LESS } from '../trace.ts';
import type { BackendKind, Site, Task } from './backend.ts';
import { ignore } from './thenable.ts';

/** Stands for a `sync` call where a host function is asked for. */
export const SYNC: Site = {
  name: 'guest.sync',
  suspending: false,
  arity: -1,
  placeholder: undefined,
  number: 0,
  result: null,
  conversion: null,
  pause: 0,
};

/** The same for `onReject`. */
export const ON_REJECT: Site = { ...SYNC, name: 'onReject' };

/** What the guest calls when a store to its shadow stack pointer leaves the region of its fiber. */
export function refuseOverflow(pointer: number): never {
  throw new FiberError(
    'SHADOW_STACK_OVERFLOW',
    `The guest's stack in linear memory is full (at ${pointer >>> 0}). Raise the option stackSize (bytes).`,
  );
}

export function notACall(site: Site): FiberError {
  return new FiberError(
    'INVALID_OPTION',
    `${site.name} yielded something else than a call: write yield call(fn, ...args); to wait for a promise, return it.`,
  );
}

export function misused(): FiberError {
  return new FiberError(
    'CORRUPT_FRAMES',
    'The guest called its switching hooks in another order than instrumented code does. Instrument the original module again.',
  );
}

/** Where a fiber waits, in words. */
export function placeOf(task: Task | null): string {
  return task?.site?.name ?? 'an import';
}

export function notUnwound(site: Site, task: Task | null): FiberError {
  return new FiberError(
    'UNINSTRUMENTED_FRAME',
    `The guest called ${site.name} while it should have unwound for ${placeOf(task)}: a function between them was left out of the instrumentation (--only, --remove, --ignore-indirect, --closed-tables), or a trampoline calls the guest after its call has unwound.`,
  );
}

/** @param instead what a resumed fiber did instead of coming to its wait */
export function misplaced(task: Task | null, instead: string, cause?: unknown): FiberError {
  return new FiberError(
    'CORRUPT_FRAMES',
    `A resumed fiber ${instead} and not ${placeOf(task)}, where it had waited: its frames were damaged, or a host function around it behaves differently when executed again (see reentrant).`,
    cause === undefined ? {} : { cause },
  );
}

/** The promise, which nobody will wait for, comes with the error: it is not to be reported when it rejects. */
function refusal(code: FiberErrorCode, { name }: Site, promise: PromiseLike<unknown>, why: string): FiberError {
  ignore(promise);
  return new FiberError(code, `${name} returned a promise, but ${why}`, { promise });
}

/** @param backend for a module that was not instrumented, what it runs on; null for one that was */
export function notSuspending(site: Site, promise: PromiseLike<unknown>, backend: BackendKind | null): FiberError {
  const { name } = site;
  if (backend === null) {
    return refusal(
      'NOT_SUSPENDING',
      site,
      promise,
      `was not named when the module was instrumented. Instrument it again with --suspending ${name} (AssemblyScript: declare it @suspending).`,
    );
  }
  const jspi = backend === 'jspi';
  return refusal(
    jspi ? 'NOT_SUSPENDING' : 'NOT_INSTRUMENTED',
    site,
    promise,
    `the module was not instrumented, and ${jspi ? 'the function is not marked. Give instantiate suspending(fn), or run' : 'this guest runs on Asyncify. Where the engine has JSPI, suspending(fn) is enough; else run'}: wasm-fibers instrument app.wasm -o app.fibers.wasm --suspending ${name}`,
  );
}

/** What has kept a fiber from waiting, while nothing had been put aside. */
export function failedWait(site: Site, promise: PromiseLike<unknown>, error: unknown): unknown {
  ignore(promise);
  return isStackOverflow(error) ? tooDeep(site.name, error) : error;
}

/** Why this import cannot wait here. */
export function obstacle(
  site: Site,
  promise: PromiseLike<unknown>,
  task: Task | null,
  between: Site | null,
): FiberError {
  const refuse = (code: FiberErrorCode, why: string): FiberError => refusal(code, site, promise, why);
  if (between === SYNC) {
    return refuse('SUSPEND_IN_SYNC_CALL', 'a guest.sync call cannot wait. Call guest.exports instead.');
  }
  if (task === null) {
    return refuse(
      'NO_FIBER',
      'the guest was not called as a fiber. Call it through guest.exports, guest.spawn or guest.wrap(fn).',
    );
  }
  if (between !== null) {
    return refuse(
      'HOST_FRAME',
      `the host function ${between.name} stands between it and the fiber's beginning. Write that with reentrant(function* (call, ...) { ... }) and list it as suspending, or let it call guest.exports and return the promise.`,
    );
  }
  return refuse(
    'SUSPEND_IN_CATCH',
    'inside a catch body of the guest (such as a C++ destructor), where Asyncify cannot unwind. Wait before or after it.',
  );
}

export function tooDeep(where: string, cause: Error): FiberError {
  return new FiberError(
    'DEPTH_LIMIT',
    `The guest was too deep in calls to wait at ${where}: the engine's stack ended. ${RECURSE_LESS}`,
    { cause },
  );
}

/** An entry ended in the middle of switching: says what that means. */
export function explainInterruption(unwinding: boolean, task: Task, failed: boolean, error: unknown): unknown {
  if (!failed) return misplaced(task, 'ended');
  if (isStackOverflow(error)) return tooDeep(placeOf(task), error);
  if (!(error instanceof WebAssembly.RuntimeError)) return error;
  if (!unwinding) return misplaced(task, 'trapped', error);
  const frames = guestFrames(error.stack).slice(0, 6).join(', called by ');
  return new FiberError(
    'UNINSTRUMENTED_FRAME',
    `The guest waited at ${placeOf(task)} through a function that was left out of the instrumentation: ${frames || 'unknown'}. Take it off the list that leaves it out, add it with --add, or instrument without --closed-tables.`,
    { cause: error },
  );
}
