/** The least over JSPI where a wait can be ended, and a settled promise costs no other one: see floors.ts. */
import type { Driver } from '../driver.ts';
import { floorDriver } from '../floors.ts';

const driver: Driver = floorDriver('floor-guess');

export default driver;
