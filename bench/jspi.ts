/** JSPI as the engine has it, for the drivers that use it directly. */
import { stackSwitching, type StackSwitching } from '../host/backends/engine.ts';
import type { GuestFunction } from '../host/backends/backend.ts';
import type { Exports } from './driver.ts';

/** Null where the engine has none. */
export const jspi: StackSwitching | null = stackSwitching();

/** Each call of these runs on a stack of its own. */
export function promisingExports({ exports }: WebAssembly.Instance): Exports<Promise<unknown>> {
  const functions = Object.entries(exports).filter(([, value]) => typeof value === 'function');
  const promising = functions.map(([name, fn]) => [name, jspi?.promising(fn as GuestFunction)]);
  return Object.fromEntries(promising) as Exports<Promise<unknown>>;
}
