/** This package on JSPI. */
import type { Driver } from '../driver.ts';
import { fibersDriver } from '../fibers.ts';
import { jspi } from '../jspi.ts';
import { computing } from '../lua.ts';

const driver: Driver = jspi === null ? {} : { ...fibersDriver('jspi'), ...computing('jspi') };

export default driver;
