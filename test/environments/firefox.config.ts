// The machine's own Firefox through WebDriver BiDi: Playwright drives only a Firefox that it has patched itself.
import type { ViteUserConfig } from 'vitest/config';
import { defineBrowserProvider } from '@vitest/browser';
import { launch, type Browser, type Page } from 'puppeteer-core';
import type { BrowserProvider } from 'vitest/node';
import { browserEnvironment, executablePath } from './browser.ts';
import { withoutJspi } from './common.ts';

class Firefox implements BrowserProvider {
  readonly name = 'firefox-bidi';
  readonly supportsParallelism = false;
  #browser: Promise<Browser> | undefined;
  readonly #pages = new Map<string, Page>();

  getCommandsContext(sessionId: string): Record<string, unknown> {
    return { page: this.#pages.get(sessionId) };
  }

  async openPage(sessionId: string, url: string): Promise<void> {
    this.#browser ??= launch({
      browser: 'firefox',
      executablePath: executablePath('FIBERS_FIREFOX'),
      headless: true,
      extraPrefsFirefox: { 'javascript.options.wasm_js_promise_integration': !withoutJspi },
    });
    const page = await (await this.#browser).newPage();
    this.#pages.set(sessionId, page);
    await page.goto(url, { timeout: 0 });
  }

  async close(): Promise<void> {
    const browser = await this.#browser;
    this.#browser = undefined;
    await browser?.close();
  }
}

const firefox = defineBrowserProvider({
  name: 'firefox-bidi',
  supportedBrowser: ['firefox'],
  options: {},
  providerFactory: (): BrowserProvider => new Firefox(),
});

const config: ViteUserConfig = browserEnvironment('firefox', firefox);

export default config;
