// What every environment shares. Timeouts are there to end a hang, not to measure: CI machines are slow and shared.
import { fileURLToPath } from 'node:url';
import type { ProvidedContext } from 'vitest';
import type { ViteUserConfig } from 'vitest/config';

/** The specification: it runs everywhere, so its files import neither node: modules nor browser-only ones. */
export const SPEC: string[] = ['test/spec/**/*.test.ts'];

/** What runs before there is a guest, what is written about it, and the house rules. */
export const TOOLS: string[] = ['docs/**', 'house/**', 'node/{cli,instrument,transform}*'].map(
  (files) => `test/${files}.test.ts`,
);

/** What is run as its compiler made it, since instrumenting it takes minutes: on the newest Node, where the backend is JSPI. */
export const ONLY_JSPI = 'test/jspi/**';

/**
 * Plugins in large numbers, each of which Binaryen instruments for Asyncify: on that backend they run on the machine's Node alone. On JSPI,
 * where that takes no time, they run everywhere.
 */
export const MANY_PLUGINS: string[] = ['test/spec/plugin-{capabilities,hostile,limits,manifest,values}.test.ts'];

/**
 * What hangs on the engine's own way to switch stacks, on its promises or its event loop: for a runtime whose engine runs the whole
 * specification elsewhere, in a newer version or on the other backend.
 */
export const OF_THE_ENGINE: string[] = [
  'test/spec/{awaiting,backends,entry,exceptions,metering,nesting,plugin,plugin-lifecycle,resources}.test.ts',
  'test/spec/{tasks,trace,trampolines,un-instrumented,wasi-*}.test.ts',
];

/** The repository's root, which test files, guests and the published files are addressed from. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));

/** What list.mjs says of the environment; who runs Vitest by hand may say it too. */
const { FIBERS_BACKEND = 'asyncify', FIBERS_PAIRS, FIBERS_WITHOUT_JSPI, FIBERS_EFFORT = '1' } = process.env;
if (FIBERS_BACKEND !== 'asyncify' && FIBERS_BACKEND !== 'jspi')
  throw new Error(`FIBERS_BACKEND is '${FIBERS_BACKEND}'; the backends are asyncify and jspi.`);
const effort = Number(FIBERS_EFFORT);
if (!(effort > 0 && effort <= 1)) throw new Error(`FIBERS_EFFORT is '${FIBERS_EFFORT}', not a part of 1.`);

/** Is the browser to be started without the JSPI that it has? */
export const withoutJspi: boolean = FIBERS_WITHOUT_JSPI === '1';

export const commonTestOptions: NonNullable<ViteUserConfig['test']> = {
  exclude: ['**/node_modules/**', 'build/**', 'test/slow/**', ONLY_JSPI],
  setupFiles: [`${ROOT}test/support/setup.ts`],
  testTimeout: 30_000,
  hookTimeout: 60_000,
  reporters: ['default'],
};

/** What test/support/backend.ts is told. */
export const provide = (engineHasJspi: boolean): ProvidedContext => ({
  backend: FIBERS_BACKEND,
  pairs: FIBERS_PAIRS === '1',
  engineHasJspi,
  effort,
});
