/** The least over JSPI where nobody can end a wait: see floors.ts. */
import type { Driver } from '../driver.ts';
import { floorDriver } from '../floors.ts';

const driver: Driver = floorDriver('floor-shared');

export default driver;
