// `npm run test:slow`: what takes longer than a CI run bears.
import type { ViteUserConfig } from 'vitest/config';
import { provide } from './common.ts';
import { nodeEnvironment } from './node.ts';

/** The ordinary tests have it on JSPI. */
const ONLY_ASYNCIFY = ['test/slow/wasi-cpython.test.ts'];

const isJspi = provide(true).backend === 'jspi';
const config: ViteUserConfig = nodeEnvironment(['test/slow/**/*.test.ts'], isJspi ? ONLY_ASYNCIFY : []);

export default config;
