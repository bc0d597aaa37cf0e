// What the other Node versions run: the specification, and what is about Node itself.
import type { ViteUserConfig } from 'vitest/config';
import { SPEC } from './common.ts';
import { nodeEnvironment } from './node.ts';

const config: ViteUserConfig = nodeEnvironment([...SPEC, 'test/node/**/*.test.ts']);

export default config;
