// What an editor completes: compile-time assertions, checked by test/house/types.test.ts. Nothing here runs.
import { expectTypeOf } from 'vitest';
import {
  type Fiber,
  FiberError,
  type FiberErrorCode,
  type Guest,
  instantiate,
  reentrant,
  suspending,
} from 'wasm-fibers';

interface App {
  run(id: number): number;
  big(x: bigint): bigint;
  pair(): [number, bigint];
  nothing(): void;
  memory: WebAssembly.Memory;
  table: WebAssembly.Table;
}

export async function types(url: URL): Promise<void> {
  const guest = await instantiate<App>(url, { env: { sleep: async (_ms: number): Promise<void> => undefined } });
  expectTypeOf(guest).toEqualTypeOf<Guest<App>>();
  expectTypeOf(guest.exports.run).toEqualTypeOf<(id: number) => Promise<number>>();
  expectTypeOf(guest.exports.pair()).toEqualTypeOf<Promise<[number, bigint]>>();
  expectTypeOf(guest.exports.nothing()).toEqualTypeOf<Promise<void>>();
  expectTypeOf(guest.exports.memory).toEqualTypeOf<WebAssembly.Memory>();
  expectTypeOf(guest.sync.big).toEqualTypeOf<(x: bigint) => bigint>();
  expectTypeOf(guest.spawn('run', [1])).toEqualTypeOf<Fiber<number>>();
  expectTypeOf(guest.spawn('big', [1n]).result).toEqualTypeOf<Promise<bigint>>();
  expectTypeOf(guest.wrap((x: number) => x > 0)).toEqualTypeOf<(x: number) => Promise<boolean>>();

  // @ts-expect-error -- a memory is no function
  void guest.sync.memory;
  // @ts-expect-error -- no such export
  guest.spawn('walk', []);
  // @ts-expect-error -- an argument of the wrong type
  guest.spawn('run', ['1']);
  // @ts-expect-error -- read-only
  guest.exports.run = async () => 1;

  const untyped = await instantiate(url);
  expectTypeOf(untyped.exports['anything']).toEqualTypeOf<((...args: unknown[]) => Promise<unknown>) | undefined>();

  const trampoline = reentrant(function* (call, fn: number, flag: bigint) {
    expectTypeOf(fn).toEqualTypeOf<number>();
    const result = yield call((x: number) => x, fn);
    expectTypeOf(result).toEqualTypeOf<unknown>();
    return Number(flag);
  });
  expectTypeOf(trampoline).toEqualTypeOf<(fn: number, flag: bigint) => number>();
  expectTypeOf(suspending((x: number) => Promise.resolve(x))).toEqualTypeOf<(x: number) => Promise<number>>();
  expectTypeOf(new FiberError('CANCELLED', '').code).toEqualTypeOf<FiberErrorCode>();
  // @ts-expect-error -- codes are literal
  new FiberError('NO_SUCH_CODE', '');
}
