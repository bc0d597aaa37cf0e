// Tests in a real browser, headless, in Vitest's browser mode; the specification only.
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import type { BrowserProviderOption } from 'vitest/node';
import { MANY_PLUGINS, OF_THE_ENGINE, ROOT, SPEC, commonTestOptions, provide, withoutJspi } from './common.ts';

/** What depends on whether the engine has JSPI: without it, all others are as they are with it, on Asyncify. */
const CHOICE = ['test/spec/{awaiting,backends,un-instrumented}.test.ts'];

/** A Vitest configuration that runs the specification in `browser`, driven by `provider`. */
export function browserEnvironment(browser: 'chromium' | 'firefox', provider: BrowserProviderOption): ViteUserConfig {
  const { backend } = provide(!withoutJspi);
  // The engine of Chromium runs all of it in Node, and Chromium on JSPI.
  const isKnown = browser === 'chromium' && backend === 'asyncify';
  return defineConfig({
    root: ROOT,
    // Two browsers that run at once must not write each other's bundles.
    cacheDir: `node_modules/.vite/${process.env['FIBERS_ENVIRONMENT'] ?? browser}`,
    // Found while tests run, a dependency to be bundled makes Vite reload the page under them.
    optimizeDeps: { include: ['fast-check', '@wasmer/wasi', '@bjorn3/browser_wasi_shim', 'binaryen'], entries: [] },
    test: {
      ...commonTestOptions,
      provide: provide(!withoutJspi),
      include: withoutJspi ? CHOICE : isKnown ? OF_THE_ENGINE : SPEC,
      exclude: [...(commonTestOptions.exclude ?? []), ...(backend === 'jspi' ? [] : MANY_PLUGINS)],
      browser: {
        enabled: true,
        provider,
        headless: true,
        screenshotFailures: false,
        instances: [{ browser }],
      },
    },
  });
}

/** The path of a browser that test/run.mjs found on this machine. */
export function executablePath(variable: string): string {
  const found = process.env[variable];
  if (found === undefined)
    throw new Error(`${variable} is not set: run the browsers by 'npm test -- --only chromium,firefox'.`);
  return found;
}
