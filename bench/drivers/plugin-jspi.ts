/** This package's plugins on JSPI. */
import type { Driver } from '../driver.ts';
import { jspi } from '../jspi.ts';
import { pluginDriver } from '../plugin-calls.ts';
import { openPlugin } from '../plugin-host.ts';

const driver: Driver = jspi === null ? {} : pluginDriver((translate) => openPlugin('jspi', translate));

export default driver;
