// Plain `npx vitest run` is the machine's Node with every test that it can run and a CI run bears. test/run.mjs is the whole matrix.
import type { ViteUserConfig } from 'vitest/config';
import { nodeEnvironment } from './test/environments/node.ts';

const config: ViteUserConfig = nodeEnvironment(['test/**/*.test.ts']);

export default config;
