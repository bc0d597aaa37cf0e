/** This package as it is used, on the backend for which its guests were instrumented. */
import { type BackendKind, instantiate } from '../host/index.ts';
import { driverOf, isBuilt, load, value, wait, type Driver, type Exports, type Run } from './driver.ts';

/** The builds of the guests for each. */
const BUILDS = {
  asyncify: { text: 'fibers', c: 'c', assemblyscript: 'assemblyscript' },
  jspi: { text: 'jspi', c: 'c-jspi', assemblyscript: 'assemblyscript-jspi' },
} as const;

export function fibersDriver(backend: BackendKind): Driver {
  const builds = BUILDS[backend];
  const module = load(builds.text);
  const loopIn = async (name: 'c' | 'assemblyscript'): Promise<Run> => {
    const imports = { env: { wait, abort: () => undefined } };
    const { exports } = await instantiate<Pick<Exports<number>, 'loop'>>(load(builds[name]), imports, { backend });
    return exports.loop;
  };
  return {
    ...driverOf(async (wait) => {
      const guest = await instantiate<Exports<number>>(module, { env: { wait, note: value } }, { backend });
      return guest.exports;
    }),
    ...(isBuilt(builds.c) && { c: () => loopIn('c') }),
    ...(isBuilt(builds.assemblyscript) && { assemblyscript: () => loopIn('assemblyscript') }),
  };
}
