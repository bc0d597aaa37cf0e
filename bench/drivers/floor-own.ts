/** The least over JSPI where a wait can be ended: see floors.ts. */
import type { Driver } from '../driver.ts';
import { floorDriver } from '../floors.ts';

const driver: Driver = floorDriver('floor-own');

export default driver;
