// Pages made by this package load nothing and say nothing on the console: whatever else happens fails the test that looks.
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import type { Page } from 'playwright';

/** Opens a file and uses it. The page stays open. */
export async function usePage(page: Page, file: string, use: (page: Page) => Promise<void>): Promise<void> {
  const problems: string[] = [];
  const address = pathToFileURL(file).href;
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => problems.push(message.text()));
  page.on('request', (request) => problems.push(...(request.url() === address ? [] : [request.url()])));
  try {
    await page.goto(address);
    await use(page);
    expect(problems).toEqual([]);
  } finally {
    page.removeAllListeners();
  }
}
