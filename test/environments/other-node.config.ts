// What the other Node versions run: the specification, and what is about Node itself. The tools that run before there is
// a guest (instrumenter, transform, command) are tried on the oldest Node, which is the machine's, and on the newest.
import type { ViteUserConfig } from 'vitest/config';
import { SPEC, commonTestOptions } from './common.ts';
import { nodeEnvironment } from './node.ts';

const NEWEST = 26;
const TOOLS = ['test/node/{cli,examples,instrument,transform}*.test.ts'];

const major = Number(process.versions.node.split('.')[0]);
const config: ViteUserConfig = nodeEnvironment(
  [...SPEC, 'test/node/**/*.test.ts'],
  [...(commonTestOptions.exclude ?? []), ...(major < NEWEST ? TOOLS : [])],
);

export default config;
