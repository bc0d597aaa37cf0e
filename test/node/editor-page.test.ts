/** The page of example 06 in real browsers: plugins run, wait, fail and are stopped, and the page goes on meanwhile. */
import { type Browser, type Page, launch } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { chromium, firefox } from '../docs/workshop.ts';
import { type Editor, hasPlugins, startEditor } from '../support/editor.ts';

vi.setConfig({ testTimeout: 60_000 });

const hasChromium = chromium() !== undefined;
const hasFirefox = firefox() !== undefined;

let editor: Editor;
beforeAll(async () => {
  if (hasPlugins) editor = await startEditor('--latency', '20');
});
afterAll(() => editor?.stop());

/** What a failed request leaves on the console of Chromium, which is no failure of the page. */
const FAILED_REQUEST = /^Failed to load resource: the server responded with a status of (?:422|504)/;

/** Opens the page and uses it. Whatever it says on the console, and whatever it asks another server for, fails the test. */
async function usePage(browser: Browser, query: string, use: (page: EditorPage) => Promise<void>): Promise<void> {
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => problems.push(message.text()));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(editor.url) && !url.startsWith('data:')) problems.push(url);
  });
  try {
    await page.goto(`${editor.url}${query}`);
    await page.waitForFunction(() => document.querySelector('#loaded')?.textContent?.includes('are loaded'));
    await use(new EditorPage(page));
    expect(problems.filter((each) => !FAILED_REQUEST.test(each))).toEqual([]);
  } finally {
    await page.close();
  }
}

class EditorPage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  text(id: string): Promise<string> {
    return this.page.$eval(`#${id}`, (element) => element.textContent ?? '');
  }

  async write(id: string, value: string): Promise<void> {
    await this.page.$eval(
      `#${id}`,
      (element, value) => {
        (element as HTMLTextAreaElement).value = value;
      },
      value,
    );
  }

  async frames(): Promise<number> {
    return Number(await this.text('frames'));
  }

  framesInSecond(): Promise<number> {
    return this.page.evaluate(() => {
      const start = performance.now();
      let count = 0;
      return new Promise<number>((resolve) => {
        const draw = (time: number): void => {
          if (time - start < 1000) requestAnimationFrame(draw);
          else resolve(count);
          count++;
        };
        requestAnimationFrame(draw);
      });
    });
  }

  /** Waits until nothing runs. */
  async ended(): Promise<void> {
    await this.page.waitForFunction(() => document.querySelector('#stop')?.ariaDisabled === 'true');
  }

  /** Presses a button, waits for the end, and gives the result. */
  async press(id: string): Promise<string> {
    await this.page.click(`#${id}`);
    await this.ended();
    return this.text('result');
  }

  /** Waits for so many more frames. */
  async moreFrames(count: number): Promise<void> {
    const enough = (await this.frames()) + count;
    await this.page.waitForFunction(
      (enough) => Number(document.querySelector('#frames')?.textContent) >= enough,
      {},
      enough,
    );
  }
}

async function everything(editorPage: EditorPage): Promise<void> {
  const { page } = editorPage;
  await editorPage.write('text', 'a *fiber*  waits. one *frob* does not.\n');
  expect(await editorPage.press('words-tidy')).toBe('A *fiber* waits. One *frob* does not.\n');
  expect(await editorPage.press('words-annotate')).toBe(
    'a fiber (a call with a stack of its own)  waits. one frob (?) does not.\n',
  );
  expect(await editorPage.press('wrap-wrap')).toBe('a *fiber* waits. one *frob* does not.\n');
  const annotated = 'a fiber (a call with a stack of its own)  waits. one frob does not.\n\nUnknown: frob\n';
  expect(await editorPage.press('run')).toBe(annotated);
  await page.click('#take');
  expect(await page.$eval('#text', (element) => (element as HTMLTextAreaElement).value)).toBe(annotated);

  // What a plugin returns is text, whatever it looks like; and the keyboard is enough.
  const hostile = '<img src=x onerror="document.title=1"><b>';
  await editorPage.write('script', `print("<i>seen</i>") return '${hostile}'`);
  await page.focus('#script');
  await page.keyboard.down('Control');
  await page.keyboard.press('Enter');
  await page.keyboard.up('Control');
  await editorPage.ended();
  expect(await editorPage.text('result')).toBe(hostile);
  expect(await editorPage.text('log')).toContain('<i>seen</i>');
  expect(await page.$$('main img, main b, main i')).toEqual([]);

  // A runaway: frames are drawn, what is typed arrives, another plugin does its work.
  await editorPage.write('text', '');
  await editorPage.write('script', 'while true do end');
  await page.click('#run');
  await editorPage.moreFrames(5);
  await page.type('#text', 'still here');
  expect(await page.$eval('#text', (element) => (element as HTMLTextAreaElement).value)).toBe('still here');
  await page.click('#words-tidy');
  await page.waitForFunction(() => document.querySelector('#result')?.textContent === 'Still here\n');
  await editorPage.moreFrames(5);
  expect(await page.$eval('#stop', (element) => element.ariaDisabled)).toBe('false');
  await page.keyboard.press('Escape');
  await editorPage.ended();
  expect(await editorPage.text('status')).toMatch(/^The script was stopped, \d+ ms after Stop was pressed\.$/);

  // One that nobody stops is stopped by its time limit; and the plugin is as it was.
  await editorPage.write('timeout', '200');
  expect(await editorPage.press('runaway')).toContain(
    'TIMEOUT: The plugin "lua" 5.4.4: run did not end within 200 ms.',
  );
  expect(Number.parseInt(await editorPage.text('gap'), 10)).toBeGreaterThan(0);
  await editorPage.write('timeout', '3000');
  await editorPage.write('script', 'return text:upper() .. select(2, pcall(lookup, "fuel"))');
  expect(await editorPage.press('run')).toBe('STILL HEREwork that a call may do, counted');
  // Calls, failures, those that run; the instances of both runaways were made anew.
  await page.waitForFunction(() => {
    const cells = [...(document.querySelector('#stats tbody')?.lastElementChild?.children ?? [])];
    const [name, calls, failures, running] = cells.map((each) => each.textContent);
    return name === 'lua' && calls === '5' && failures === '2' && running === '0';
  });
}

/**
 * Beside a plugin that never ends the page has more than half of the frames that it has when nothing runs. Both are counted one after
 * the other, and again if that fails: the machine may have done something else meanwhile.
 */
async function isDrawn(editorPage: EditorPage): Promise<void> {
  const { page } = editorPage;
  await editorPage.write('timeout', '60000');
  const shares: number[] = [];
  for (let attempt = 1; attempt <= 5 && !shares.some((share) => share > 0.5); attempt++) {
    const idle = await editorPage.framesInSecond();
    await page.click('#runaway');
    const busy = await editorPage.framesInSecond();
    await page.keyboard.press('Escape');
    await editorPage.ended();
    shares.push(busy / idle);
  }
  expect(Math.max(...shares)).toBeGreaterThan(0.5);
}

async function onTheServer(editorPage: EditorPage): Promise<void> {
  const { page } = editorPage;
  await page.click('input[value=server]');
  await editorPage.write('text', 'a *trap*');
  expect(await editorPage.press('words-annotate')).toBe('a trap (the end of a call that has gone wrong)');
  await page.click('#runaway');
  await editorPage.moreFrames(3);
  await page.click('#stop');
  await editorPage.ended();
  expect(await editorPage.text('status')).toMatch(/^The runaway was stopped/);
  await editorPage.write('script', 'error("on purpose")');
  expect(await editorPage.press('run')).toBe('script:1: on purpose');
}

describe.skipIf(!hasPlugins)('the page of the editor (it needs clang)', () => {
  describe.skipIf(!hasChromium)('in Chromium', () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launch({ executablePath: chromium() ?? '', args: ['--no-sandbox'] });
    });
    afterAll(() => browser?.close());

    test.each(['jspi', 'asyncify'])('goes on while plugins run, wait and run away, on %s', async (backend) => {
      await usePage(browser, `?backend=${backend}`, async (editorPage) => {
        expect(await editorPage.text('loaded')).toMatch(`3 plugins are loaded, on ${backend}.`);
        await everything(editorPage);
      });
    });

    test('is drawn while a plugin never ends', async () => {
      await usePage(browser, '', isDrawn);
    });

    test('calls the same plugins on the server', async () => {
      await usePage(browser, '', onTheServer);
    });

    test('is dark where the reader is, and every control has a name', async () => {
      await usePage(browser, '', async ({ page }) => {
        const brightness = (): Promise<number> =>
          page.evaluate(() => {
            const [red = 0] = /\d+/.exec(getComputedStyle(document.body).backgroundColor) ?? [];
            return Number(red);
          });
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
        expect(await brightness()).toBeLessThan(60);
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }]);
        expect(await brightness()).toBeGreaterThan(200);
        const nameless = await page.$$eval('input, select, textarea, button', (controls) =>
          controls
            .filter((each) => {
              const { labels } = each as HTMLInputElement;
              return `${each.textContent}${each.getAttribute('aria-label')}` === 'null' && labels?.length === 0;
            })
            .map((each) => each.outerHTML),
        );
        expect(nameless).toEqual([]);
      });
    });
  });

  describe.skipIf(!hasFirefox)('in Firefox', () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launch({ browser: 'firefox', executablePath: firefox() ?? '' });
    });
    afterAll(() => browser?.close());

    test('goes on while plugins run, wait and run away', async () => {
      await usePage(browser, '?backend=asyncify', everything);
    });

    test('is drawn while a plugin never ends', async () => {
      await usePage(browser, '?backend=jspi', isDrawn);
    });
  });
});
