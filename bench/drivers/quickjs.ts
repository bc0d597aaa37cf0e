/** Plugins by quickjs-emscripten. */
import type { Driver } from '../driver.ts';
import { pluginDriver } from '../plugin-calls.ts';
import { openQuickJS } from '../quickjs-host.ts';

const driver: Driver = pluginDriver(openQuickJS);

export default driver;
