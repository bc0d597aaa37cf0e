/** The module instrumented by this package with its imports linked as they are: what a call costs when nobody looks. */
import { load, value, type Driver, type Exports } from '../driver.ts';

async function open(): Promise<Exports<number>> {
  const hooks = { drain: value, refill: value };
  const instance = await WebAssembly.instantiate(load('fibers'), {
    env: { wait: value, note: value },
    'wasm-fibers': hooks,
  });
  return instance.exports as unknown as Exports<number>;
}

const driver: Driver = {
  async value() {
    const { loop } = await open();
    return async (times) => loop(times);
  },
  async note() {
    const { notes } = await open();
    return async (times) => notes(times);
  },
};

export default driver;
