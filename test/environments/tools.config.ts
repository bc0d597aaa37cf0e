// The tools that run before there is a guest, the documents that show them, and the house rules, on the machine's Node.
//
// All files share a process, since each would spend seconds on warming up asc and Binaryen; and the engine compiles the
// ten megabytes of Binaryen quickly instead of well, which is less work as long as a test is all that it runs.
import { mergeConfig, type ViteUserConfig } from 'vitest/config';
import { SHORT_LIVED } from '../support/short-lived.ts';
import { TOOLS, commonTestOptions } from './common.ts';
import { nodeEnvironment } from './node.ts';

const config: ViteUserConfig = mergeConfig(nodeEnvironment(TOOLS, commonTestOptions.exclude), {
  test: { isolate: false, execArgv: [...SHORT_LIVED] },
});

export default config;
