/** The engine's own stack switching, used directly and without any care for concurrent calls. Node 24 has it first. */
import { driverOf, load, value, type Driver, type Exports } from '../driver.ts';

/** JSPI, which the compiler's types do not have yet. */
interface StackSwitching {
  readonly Suspending?: new (fn: (x: number) => unknown) => WebAssembly.ExportValue;
  promising(fn: unknown): (...args: number[]) => Promise<unknown>;
}

const { Suspending, promising } = WebAssembly as unknown as StackSwitching;

function driverWith(suspending: NonNullable<StackSwitching['Suspending']>): Driver {
  const module = load('plain');
  return driverOf(async (wait): Promise<Exports<Promise<unknown>>> => {
    const imports = { env: { wait: new suspending(wait), note: value } };
    const { exports } = await WebAssembly.instantiate(module, imports as WebAssembly.Imports);
    return {
      once: promising(exports['once']),
      loop: promising(exports['loop']),
      loop_deep: promising(exports['loop_deep']),
      notes: promising(exports['notes']),
    };
  });
}

const driver: Driver = Suspending === undefined ? {} : driverWith(Suspending);

export default driver;
