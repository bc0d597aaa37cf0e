// The oldest Node, which is the machine's: everything but the tools, which are an environment of their own.
import type { ViteUserConfig } from 'vitest/config';
import { TOOLS, commonTestOptions } from './common.ts';
import { nodeEnvironment } from './node.ts';

const config: ViteUserConfig = nodeEnvironment(['test/**/*.test.ts'], [...(commonTestOptions.exclude ?? []), ...TOOLS]);

export default config;
