/** This package's plugins on Asyncify. */
import type { Driver } from '../driver.ts';
import { pluginDriver } from '../plugin-calls.ts';
import { openPlugin } from '../plugin-host.ts';

const driver: Driver = pluginDriver((translate) => openPlugin('asyncify', translate));

export default driver;
