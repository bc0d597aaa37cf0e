// What the other Node versions run: of the specification what hangs on the engine, and on the newest all of it and what is about Node itself. The tools that run
// before there is a guest (instrumenter, transform, command) are tried on the oldest Node, which is the machine's, and where
// they need an engine with JSPI on the newest; what does not depend on the backend is tried on one.
import type { ViteUserConfig } from 'vitest/config';
import { MANY_PLUGINS, ONLY_JSPI, OF_THE_ENGINE, SPEC, commonTestOptions, provide } from './common.ts';
import { nodeEnvironment } from './node.ts';

const NEWEST = 26;
const TOOLS = [
  'test/node/cli*.test.ts',
  'test/node/instrument{,-binaryen,-catch,-indirect,-lists,-random,-refusals,-source-map}.test.ts',
  'test/node/{explain,report,trace}.test.ts',
  'test/node/transform{,-cli,-options,-output,-refusals,-target}.test.ts',
];
/** Takes a backend's own guests, or speaks of its own failures. */
const OF_THE_BACKEND = [
  'test/node/{async-context,depth,hostile,instrument-plugin-fuzz,leaks,real-libraries,transform-metered,twice}.test.ts',
];

/** Takes long: on the oldest Node for Asyncify, what the backend has a part in on the newest for JSPI, and not a third time. */
const TWICE = [
  'test/node/{editor-page,examples,hostile,instrument-plugin-fuzz,leaks,tasks-leaks,values-leaks,wasi-command}.test.ts',
];

const isNewest = Number(process.versions.node.split('.')[0]) >= NEWEST;
const isJspi = provide(true).backend === 'jspi';
const onNewest = isJspi ? [...OF_THE_BACKEND, `${ONLY_JSPI}/*.test.ts`] : ['test/node/**/*.test.ts'];
const excluded = (commonTestOptions.exclude ?? []).filter((files) => !(isNewest && isJspi && files === ONLY_JSPI));
const config: ViteUserConfig = nodeEnvironment(
  isNewest ? [...SPEC, ...onNewest] : [...OF_THE_ENGINE, 'test/node/async-context.test.ts'],
  [...excluded, ...TOOLS, ...(isJspi ? [] : [...TWICE, ...MANY_PLUGINS])],
);

export default config;
