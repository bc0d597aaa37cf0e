// Tests on Node. The published files are left to Node's own loader, so that what runs is what is published.
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { ROOT, commonTestOptions } from './common.ts';

/** A Vitest configuration that runs the files matched by `include` in child processes of the Node that runs Vitest. */
export function nodeEnvironment(
  include: string[],
  exclude: string[] | undefined = commonTestOptions.exclude,
): ViteUserConfig {
  return defineConfig({
    root: ROOT,
    test: {
      ...commonTestOptions,
      include,
      exclude: exclude ?? [],
      pool: 'forks',
      server: { deps: { external: [/\/build\/host\//] } },
    },
  });
}
