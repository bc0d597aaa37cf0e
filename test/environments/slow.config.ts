// `npm run test:slow`: what takes longer than a CI run bears.
import type { ViteUserConfig } from 'vitest/config';
import { nodeEnvironment } from './node.ts';

const config: ViteUserConfig = nodeEnvironment(['test/slow/**/*.test.ts'], []);

export default config;
