/** This package, as it is used. */
import { instantiate } from '../../host/index.ts';
import { driverOf, isBuilt, load, value, wait, type Driver, type Exports, type Run } from '../driver.ts';

const module = load('fibers');

async function loopIn(name: 'c' | 'assemblyscript'): Promise<Run> {
  const imports = { env: { wait, abort: () => undefined } };
  const { exports } = await instantiate<Pick<Exports<number>, 'loop'>>(load(name), imports);
  return exports.loop;
}

const driver: Driver = {
  ...driverOf(async (wait) => {
    const guest = await instantiate<Exports<number>>(module, { env: { wait, note: value } });
    return guest.exports;
  }),
  ...(isBuilt('c') && { c: () => loopIn('c') }),
  ...(isBuilt('assemblyscript') && { assemblyscript: () => loopIn('assemblyscript') }),
};

export default driver;
