// Tests on Node. The published files are left to Node's own loader, so that what runs is what is published.
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { ROOT, commonTestOptions, provide } from './common.ts';

/** The first Node that has it without being asked for it. */
const WITH_JSPI = 24;

/** A Vitest configuration that runs the files matched by `include` in child processes of the Node that runs Vitest. */
export function nodeEnvironment(
  include: string[],
  exclude: string[] | undefined = commonTestOptions.exclude,
): ViteUserConfig {
  return defineConfig({
    root: ROOT,
    test: {
      ...commonTestOptions,
      provide: provide(Number(process.versions.node.split('.')[0]) >= WITH_JSPI),
      include,
      exclude: exclude ?? [],
      pool: 'forks',
      server: { deps: { external: [/\/build\/host\//] } },
    },
  });
}
