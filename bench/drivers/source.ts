/** Guests as their compiler made them, in which nothing can wait: what instrumented code is measured against. */
import type { Driver } from '../driver.ts';
import { computing } from '../lua.ts';

const driver: Driver = computing(null);

export default driver;
