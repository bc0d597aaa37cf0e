import type { GuestFunction } from './backend.ts';

/** Calls without `apply` for the usual numbers of arguments: entering and resuming are hot. */
export function call(fn: GuestFunction, args: readonly unknown[]): unknown {
  const f = fn as (...args: unknown[]) => unknown;
  switch (args.length) {
    case 0:
      return f();
    case 1:
      return f(args[0]);
    case 2:
      return f(args[0], args[1]);
    default:
      return f(...args);
  }
}
