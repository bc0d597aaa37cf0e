/** AssemblyScript's own glue (`asc --bindings raw`), which is synchronous and knows nothing of fibers. */
import type { Driver, Run } from '../driver.ts';
import { GLUE, loadValues, VALUE_CASES } from '../values-guest.ts';

type Exports = Record<string, (value?: unknown) => unknown>;
type Instantiate = (module: WebAssembly.Module, imports: WebAssembly.Imports) => Promise<Exports>;

async function open(which: 'take' | 'give', size: number): Promise<Run> {
  const { instantiate } = (await import(GLUE)) as { instantiate: Instantiate };
  const exports = await instantiate(loadValues('values-plain'), { env: { wait: (x: number) => x } });
  const test = VALUE_CASES[size];
  if (test === undefined) throw new Error(`there is no case ${size}`);
  const { value, [which]: name } = test;
  return async (times) => {
    for (let i = 0; i < times; i++) exports[name]?.(value);
  };
}

const driver: Driver = {
  lower: (size) => open('take', size),
  lift: (size) => open('give', size),
  lowerFiber: (size) => open('take', size),
  liftFiber: (size) => open('give', size),
};

export default driver;
