/** The engine's own stack switching, used directly and without any care for concurrent calls. Node 24 has it first. */
import type { StackSwitching } from '../../host/backends/engine.ts';
import { driverOf, isBuilt, load, value, wait, type Driver, type Run } from '../driver.ts';
import { jspi, promisingExports } from '../jspi.ts';

function driverWith({ Suspending }: StackSwitching): Driver {
  const module = load('plain');
  const loopIn = async (name: 'c-plain' | 'assemblyscript-plain'): Promise<Run> => {
    const imports = { env: { wait: new Suspending(wait), abort: () => undefined } };
    return promisingExports(await WebAssembly.instantiate(load(name), imports as WebAssembly.Imports)).loop;
  };
  return {
    ...driverOf(async (wait) => {
      const imports = { env: { wait: new Suspending(wait), note: value } };
      return promisingExports(await WebAssembly.instantiate(module, imports as WebAssembly.Imports));
    }),
    ...(isBuilt('c-plain') && { c: () => loopIn('c-plain') }),
    ...(isBuilt('assemblyscript-plain') && { assemblyscript: () => loopIn('assemblyscript-plain') }),
  };
}

const driver: Driver = jspi === null ? {} : driverWith(jspi);

export default driver;
