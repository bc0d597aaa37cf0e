/** Why a wait cannot be, and what it means when switching was interrupted: the sentences of the backends. */
import { FiberError } from '../errors.ts';
import { guestFrames, isStackOverflow, RECURSE_LESS } from '../trace.ts';
import type { Site, Task } from './backend.ts';
import { ignore } from './thenable.ts';

/** Stands for a `sync` call where a host function is asked for. */
export const SYNC: Site = {
  name: 'guest.sync',
  suspending: false,
  arity: -1,
  placeholder: undefined,
  conversion: null,
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
    `${site.name} is reentrant and yielded something else than a call: write yield call(fn, ...args); to wait for a promise, return it.`,
  );
}

export function notUnwound(site: Site, task: Task | null): FiberError {
  return new FiberError(
    'UNINSTRUMENTED_FRAME',
    `The guest called ${site.name} while it should have unwound for ${task?.site?.name ?? 'another import'}: a function between them was left out of the instrumentation (--only, --remove, --ignore-indirect), or a trampoline calls the guest after its call has unwound.`,
  );
}

const DAMAGED =
  'its frames were damaged, or a host function around it behaves differently when executed again (see reentrant).';

export function misplaced(site: Site): FiberError {
  return new FiberError('CORRUPT_FRAMES', `A resumed fiber reached ${site.name}, not where it had waited: ${DAMAGED}`);
}

export function notSuspending(site: Site, promise: PromiseLike<unknown>, instrumented: boolean): FiberError {
  ignore(promise);
  return instrumented
    ? new FiberError(
        'NOT_SUSPENDING',
        `${site.name} returned a promise, but was not named when the module was instrumented. Do that again and add --suspending ${site.name} (AssemblyScript: declare it @suspending).`,
        { promise },
      )
    : notInstrumented(site, promise);
}

function notInstrumented(site: Site, promise: PromiseLike<unknown>): FiberError {
  return new FiberError(
    'NOT_INSTRUMENTED',
    `${site.name} returned a promise, but the module was not instrumented, and this guest does not run on JSPI. Run: wasm-fibers instrument app.wasm -o app.fibers.wasm --suspending ${site.name}`,
    { promise },
  );
}

/** For a module that was not instrumented, on JSPI. */
export function notMarked(site: Site, promise: PromiseLike<unknown>): FiberError {
  ignore(promise);
  return new FiberError(
    'NOT_SUSPENDING',
    `${site.name} returned a promise, but nothing says that it may: the module was not instrumented, and the function is not marked. Give instantiate suspending(fn), or instrument the module with --suspending ${site.name}.`,
    { promise },
  );
}

/** Why this import cannot wait here. */
export function obstacle(
  site: Site,
  promise: PromiseLike<unknown>,
  task: Task | null,
  between: Site | null,
): FiberError {
  ignore(promise);
  if (between === SYNC) {
    return new FiberError(
      'SUSPEND_IN_SYNC_CALL',
      `${site.name} returned a promise (error.promise) inside a guest.sync call, which cannot wait. Call guest.exports instead.`,
      { promise },
    );
  }
  if (task === null) {
    return new FiberError(
      'NO_FIBER',
      `${site.name} returned a promise, but the guest was not called as a fiber. Call it through guest.exports, guest.spawn or guest.wrap(fn).`,
      { promise },
    );
  }
  if (between !== null) {
    return new FiberError(
      'HOST_FRAME',
      `${site.name} returned a promise, but the host function ${between.name} stands between it and the fiber's beginning. Write that with reentrant(function* (call, ...) { ... }) and list it as suspending, or let it call guest.exports and return the promise.`,
      { promise },
    );
  }
  return new FiberError(
    'SUSPEND_IN_CATCH',
    `${site.name} returned a promise inside a catch body of the guest (such as a C++ destructor), where Asyncify cannot unwind. Wait before or after it.`,
    { promise },
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
  const where = task.site?.name ?? 'an import';
  if (failed && isStackOverflow(error)) return tooDeep(where, error);
  if (failed && error instanceof WebAssembly.RuntimeError && unwinding) {
    const frames = guestFrames(error.stack);
    return new FiberError(
      'UNINSTRUMENTED_FRAME',
      `The guest waited at ${where} through a function that was left out of the instrumentation: ${frames[0] ?? 'unknown'}${frames.length > 1 ? ` (called by ${frames.slice(1, 6).join(', ')})` : ''}. Take it off the list that leaves it out, or add it with --add.`,
      { cause: error },
    );
  }
  if (failed && !(error instanceof WebAssembly.RuntimeError)) return error;
  return new FiberError(
    'CORRUPT_FRAMES',
    `A resumed fiber ended without reaching ${where}, where it had waited: ${DAMAGED}`,
    failed ? { cause: error } : {},
  );
}
