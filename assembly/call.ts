/** A function and its argument, kept for later: the language has no closures. */
import { put } from './storage';
import { Task } from './task';

/** @internal */
export abstract class Call {
  next: Call | null = null;

  abstract run(): void;
}

/** @internal What a task does; its result goes to the task. */
export class TaskCall<A, R> extends Call {
  constructor(
    readonly task: Task<R>,
    readonly fn: (arg: A) => R,
    readonly arg: A,
  ) {
    super();
  }

  run(): void {
    if (isVoid<R>()) this.fn(this.arg);
    else put<R>(this.task, this.fn(this.arg));
  }
}

/** @internal The same without an argument. */
export class TaskStart<R> extends Call {
  constructor(
    readonly task: Task<R>,
    readonly fn: () => R,
  ) {
    super();
  }

  run(): void {
    if (isVoid<R>()) this.fn();
    else put<R>(this.task, this.fn());
  }
}

/** @internal A function whose result nobody wants. */
export class PlainCall<A> extends Call {
  constructor(
    readonly fn: (arg: A) => void,
    readonly arg: A,
  ) {
    super();
  }

  run(): void {
    this.fn(this.arg);
  }
}
