// `npm run test:slow`: what takes longer than a CI run bears, and the random tests of the specification with all of their iterations.
import type { ViteUserConfig } from 'vitest/config';
import { provide } from './common.ts';
import { nodeEnvironment } from './node.ts';

/** The ordinary tests have it on JSPI. */
const ONLY_ASYNCIFY = ['test/slow/wasi-cpython.test.ts'];

/** They ask test/support/backend.ts how many iterations to do. */
const RANDOM = 'test/spec/{model,soundness,tasks-model,values,values-sections,wasi-process}.test.ts';

const isJspi = provide(true).backend === 'jspi';
const config: ViteUserConfig = nodeEnvironment(['test/slow/**/*.test.ts', RANDOM], isJspi ? ONLY_ASYNCIFY : []);

export default config;
