/**
 * What the library asks of the host, as numbers only: fibers by their id, strings by their address, which the host reads
 * before it returns. Only `park` suspends. The other half is host/assemblyscript/tasks.ts.
 */

/** The id of the running fiber, 0 if there is none (a call through `guest.sync`). */
// @ts-ignore: decorator
@external('wasm-fibers:tasks', 'current')
export declare function current(): i32;

/** Starts a fiber that calls `__fibers_task_run`; never before this returns. Its id. A name at 0 is `task`. */
// @ts-ignore: decorator
@external('wasm-fibers:tasks', 'spawn')
export declare function spawn(name: usize): i32;

/** The same for what is left to do of the task that has just ended; 0 if nothing can run any more. */
// @ts-ignore: decorator
@external('wasm-fibers:tasks', 'spawn_cleanup')
export declare function spawnCleanup(): i32;

/** From now on the guest is told when this fiber ends. */
// @ts-ignore: decorator
@external('wasm-fibers:tasks', 'adopt')
export declare function adopt(fiber: i32): void;

/**
 * Waits for `wake`: at most `ms` milliseconds, for ever if that is negative. 0 lets everybody else go on who can.
 * `target` is the fiber without whose end nobody will call it, 0 if there is none.
 */
// @ts-ignore: decorator
@suspending
@external('wasm-fibers:tasks', 'park')
export declare function park(ms: f64, target: i32): void;

/** Ends the wait of a fiber that is parked, and does nothing to any other. */
// @ts-ignore: decorator
@external('wasm-fibers:tasks', 'wake')
export declare function wake(fiber: i32): void;

/** Cancels a fiber; 0 if it had ended or was cancelled before. */
// @ts-ignore: decorator
@external('wasm-fibers:tasks', 'cancel')
export declare function cancel(fiber: i32, reason: usize): i32;

/** Has the fiber been cancelled? */
// @ts-ignore: decorator
@external('wasm-fibers:tasks', 'cancelled')
export declare function cancelled(fiber: i32): i32;

/** The fiber whose end this one waits for in a host function of the embedder, 0 if there is none. */
// @ts-ignore: decorator
@external('wasm-fibers:tasks', 'waits_for')
export declare function waitsFor(fiber: i32): i32;

/** Throws what the fiber failed with. */
// @ts-ignore: decorator
@external('wasm-fibers:tasks', 'raise')
export declare function raise(fiber: i32): void;

/** Throws an error of this code and message. */
// @ts-ignore: decorator
@external('wasm-fibers:tasks', 'fail')
export declare function fail(code: usize, message: usize): void;

/** The length of one of the texts below, in UTF-16 code units; with an address, writes it there too. */
// @ts-ignore: decorator
@external('wasm-fibers:tasks', 'text')
export declare function text(fiber: i32, part: i32, address: usize): i32;

/** Nobody in the guest can ask for the error of this fiber any more. */
// @ts-ignore: decorator
@external('wasm-fibers:tasks', 'forget')
export declare function forget(fiber: i32): void;

/** Parts of `text`: of the error that a fiber failed with, and the name of a live fiber. */
export const CODE = 0;
export const MESSAGE = 1;
export const NAME = 2;

/** @internal */
export function read(fiber: i32, part: i32): string {
  const length = text(fiber, part, 0);
  // @ts-ignore: asc's own
  const address = __new(usize(length) << 1, idof<String>());
  text(fiber, part, address);
  return changetype<string>(address);
}

/** @internal Fails the current task. */
export function refuse(code: string, message: string): void {
  fail(changetype<usize>(code), changetype<usize>(message));
  // The host has thrown.
  unreachable();
}
