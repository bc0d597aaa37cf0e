// The machine's own Chromium, driven by Playwright.
import type { ViteUserConfig } from 'vitest/config';
import { playwright } from '@vitest/browser-playwright';
import { browserEnvironment, executablePath } from './browser.ts';

const config: ViteUserConfig = browserEnvironment(
  'chromium',
  playwright({
    launchOptions: {
      executablePath: executablePath('FIBERS_CHROMIUM'),
      // Containers run as root and have a small /dev/shm: Chromium refuses the one and dies of the other.
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
    },
  }),
);

export default config;
