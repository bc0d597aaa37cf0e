// What the other Node versions run: the specification, and what is about Node itself. The tools that run before there is
// a guest (instrumenter, transform, command) are tried on the oldest Node, which is the machine's, and on the newest, and
// what does not depend on the backend is tried on one.
import type { ViteUserConfig } from 'vitest/config';
import { SPEC, commonTestOptions, provide } from './common.ts';
import { nodeEnvironment } from './node.ts';

const NEWEST = 26;
const TOOLS = ['test/node/{cli,instrument,transform}*.test.ts'];
const EXAMPLES = ['test/node/examples.test.ts'];
/** Takes a backend's own guests, or speaks of its own failures. */
const OF_THE_BACKEND = [
  'test/node/{async-context,depth,hostile,leaks,real-libraries,tasks-leaks,twice,values-leaks}.test.ts',
  ...EXAMPLES,
];

const isNewest = Number(process.versions.node.split('.')[0]) >= NEWEST;
const isJspi = provide(true).backend === 'jspi';
const config: ViteUserConfig = nodeEnvironment(
  [...SPEC, ...(isJspi ? OF_THE_BACKEND : ['test/node/**/*.test.ts'])],
  [...(commonTestOptions.exclude ?? []), ...(isNewest ? [] : [...TOOLS, ...EXAMPLES])],
);

export default config;
