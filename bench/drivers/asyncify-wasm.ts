/** asyncify-wasm, the published driver of Binaryen's Asyncify. */
import { instantiate } from 'asyncify-wasm';
import { driverOf, load, value, type Driver, type Exports } from '../driver.ts';

const module = load('asyncify');

/** Where it keeps the position and the end of what it unwinds into. */
const HEADER = 16;

const driver: Driver = driverOf(async (wait) => {
  // It copies the engine's types: what it gives for a module is an instance.
  const { exports } = await instantiate(module, { env: { wait: wait as (x: number) => number, note: value } });
  // A hundred frames overrun the 1000 bytes that it sets aside. The guest uses no memory, so it can have more.
  const memory = exports['memory'] as WebAssembly.Memory;
  new Int32Array(memory.buffer, HEADER, 2)[1] = 16_384;
  return exports as unknown as Exports<Promise<unknown>>;
});

export default driver;
