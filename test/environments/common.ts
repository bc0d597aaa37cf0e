// What every environment shares. Timeouts are there to end a hang, not to measure: CI machines are slow and shared.
import { fileURLToPath } from 'node:url';
import type { ViteUserConfig } from 'vitest/config';

/** The specification: it runs everywhere, so its files import neither node: modules nor browser-only ones. */
export const SPEC: string[] = ['test/spec/**/*.test.ts'];

/** The repository's root, which test files, guests and the published files are addressed from. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));

export const commonTestOptions: NonNullable<ViteUserConfig['test']> = {
  exclude: ['**/node_modules/**', 'build/**', 'test/slow/**'],
  setupFiles: [`${ROOT}test/support/setup.ts`],
  testTimeout: 30_000,
  hookTimeout: 60_000,
  reporters: ['default'],
};
