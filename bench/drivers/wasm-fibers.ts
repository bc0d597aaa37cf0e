/** This package, as it is used. */
import { instantiate } from '../../host/index.ts';
import { driverOf, load, value, type Driver, type Exports } from '../driver.ts';

const module = load('fibers');

const driver: Driver = driverOf(async (wait) => {
  const guest = await instantiate<Exports<number>>(module, { env: { wait, note: value } });
  return guest.exports;
});

export default driver;
