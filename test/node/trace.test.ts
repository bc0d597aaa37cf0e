// What a recorder writes, in the programs that it is for: the page in a real browser, the file in a reader of such files, and
// both from the command line.
import { spawn } from 'node:child_process';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, type Page, chromium } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FiberRecorder, type TraceFile } from 'wasm-fibers/trace';
import { chromium as findChromium } from '../docs/workshop.ts';
import { core, failure, Gate, turn } from '../support/core.ts';
import { hasGuest, loadGuestFor } from '../support/guest.ts';
import { usePage } from '../support/page-watch.ts';
import { makeFolder, removeFolder, ROOT } from '../support/temporary.ts';
import { violations } from '../support/trace-format.ts';

const HOSTILE = '</script><img src=x onerror="document.title=1">\u202e';

let folder: string;
const at = (name: string): string => path.join(folder, name);
beforeAll(async () => {
  folder = await makeFolder();
});
afterAll(() => removeFolder(folder));

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Two guests: jobs that wait and one that fails, and a queue of which one is cancelled. */
async function record(): Promise<FiberRecorder> {
  const recorder = new FiberRecorder();
  const gate = new Gate();
  const wait = (x: number): unknown => (x === 9 ? gate.wait(x) : sleep(10).then(() => x));
  const app = await core(wait, { onEvent: recorder.listener('app') });
  const jobs = ['one', 'two', 'three'].map((name) => app.spawn('loop_of', [2, 1], { name }));
  const doomed = app.spawn('once', [9], { name: 'doomed' });
  const hostile = app.spawn('once', [1], { name: HOSTILE });
  const queue = await core((x) => app.exports.once(x), { onEvent: recorder.listener('queue'), exclusive: true });
  const first = queue.spawn('once', [1], { name: 'first' });
  const second = queue.spawn('once', [1], { name: 'second' });
  const failures = [doomed, second].map(({ result }) => failure(result));
  second.cancel();
  gate.take(9).reject(new Error(HOSTILE));
  await Promise.all([...jobs, hostile, first].map(({ result }) => result));
  await Promise.all(failures);
  return recorder;
}

const hasChromium = findChromium() !== undefined;

describe.skipIf(!hasChromium)('in a browser (it needs chromium)', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: findChromium() ?? '', args: ['--no-sandbox'] });
    const recorder = await record();
    await writeFile(at('page.html'), recorder.toHTML({ title: 'two guests' }));
    await writeFile(at('trace.json'), JSON.stringify(recorder.toTraceEvents()));
  });
  afterAll(() => browser?.close());

  const ORDINARY = { viewport: { width: 1300, height: 900 } };
  let ordinary: Page | undefined;

  /** Opens a page; whatever goes wrong in it, or is loaded, fails the test. */
  async function open(
    file: string,
    use: (page: Page) => Promise<void>,
    options: Parameters<Browser['newPage']>[0] = ORDINARY,
  ): Promise<void> {
    // One for all that need no other, since to make one takes longer than most of what is done in it.
    const isOwn = options !== ORDINARY;
    const page = isOwn
      ? await browser.newPage({ ...ORDINARY, ...options })
      : (ordinary ??= await browser.newPage(options));
    try {
      await usePage(page, at(file), use);
    } finally {
      if (isOwn) await page.close();
    }
  }

  const range = (page: Page): Promise<string> => page.locator('#range').innerText();
  /** Milliseconds in view. */
  const inView = async (page: Page): Promise<number> => {
    const [, from = '', to = ''] = /^(.*) to (.*) of/.exec(await range(page)) ?? [];
    const milliseconds = (text: string): number => {
      const [, value = '0', unit = 'ms'] = /^([\d.]+) ?(\S*)/.exec(text) ?? [];
      return Number(value) * ({ s: 1000, ms: 1, µs: 0.001 }[unit] ?? 1);
    };
    return milliseconds(to) - milliseconds(from);
  };
  const facts = async (page: Page): Promise<Record<string, string>> => {
    const [terms, values] = [page.locator('#detail dt'), page.locator('#detail dd')];
    const texts = await Promise.all([terms.allInnerTexts(), values.allInnerTexts()]);
    return Object.fromEntries(texts[0].map((term, place) => [term, texts[1][place] ?? '']));
  };
  /** How many pixels of the canvas have each colour that the style sheet has under these names. */
  const painted = (page: Page, ...names: readonly string[]): Promise<number[]> =>
    page.evaluate((names) => {
      const canvas = document.querySelector('canvas');
      const context = canvas?.getContext('2d');
      if (!canvas || !context) return [];
      const style = getComputedStyle(canvas);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      const pixels = new Uint32Array(data.buffer);
      return names.map((name) => {
        const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) =>
          Number.parseInt(style.getPropertyValue(`--${name}`).slice(at, at + 2), 16),
        );
        const wanted = (255 * 2 ** 24 + blue * 2 ** 16 + green * 2 ** 8 + red) >>> 0;
        return pixels.filter((pixel) => pixel === wanted).length;
      });
    }, names);

  test('shows what there is, in words and in colours, light and dark', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await open(
        'page.html',
        async (page) => {
          expect(await page.title()).toBe('two guests: timeline of fibers');
          const labels = await page.locator('.summary dt').allInnerTexts();
          expect(labels).toEqual(['time', 'guests', 'fibers', 'waits', 'running']);
          // `second` was cancelled, `doomed` failed, and `first` had one of its own in the other guest.
          expect(await page.locator('#legend li').allInnerTexts()).toEqual(
            ['✓returned (6)', '✗failed (1)', '⊘cancelled (1)', 'running', 'waiting', 'queued'].map(
              (each) => expect.stringContaining(each.slice(1)) as unknown,
            ),
          );
          const [running, waiting, ink] = await painted(page, 'running', 'waiting', 'ink');
          expect(running).toBeGreaterThan(20);
          expect(waiting).toBeGreaterThan(running ?? 0);
          expect(ink).toBeGreaterThan(50);
          const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
          expect(background).toBe(colorScheme === 'dark' ? 'rgb(22, 24, 26)' : 'rgb(251, 251, 250)');
        },
        { colorScheme },
      );
    }
  });

  test('is used by the keyboard alone: to a fiber, along it, closer and back', async () => {
    await open('page.html', async (page) => {
      const all = await inView(page);
      const names: string[] = [];
      for (let stop = 0; stop < 8; stop++) {
        await page.keyboard.press('Tab');
        names.push(
          await page.evaluate(() => {
            const { activeElement: on } = document;
            return on?.getAttribute('aria-label') ?? on?.textContent ?? '';
          }),
        );
        expect(await page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineWidth)).toBe(
          '3px',
        );
      }
      expect(names).toEqual([
        'Timeline',
        'Search fibers, imports, errors',
        'Zoom out',
        'Zoom in',
        'All',
        ...['returned (6)', 'failed (1)', 'cancelled (1)'].map((each) => expect.stringContaining(each) as unknown),
      ]);
      await page.keyboard.press('Tab');
      await page.keyboard.press('ArrowDown');
      expect(await page.locator('#detail h2').innerText()).toContain('#1 one');
      await page.keyboard.press('Home');
      expect((await facts(page))['does']).toBe('running');
      await page.keyboard.press('ArrowRight');
      expect(await facts(page)).toMatchObject({ does: 'waiting', at: 'env.wait', guest: 'app', waits: '2' });
      expect(await page.getByRole('status').last().innerText()).toMatch(/^#1 one: waiting at env.wait, [\d.]+ ms$/);
      await page.keyboard.press('Enter');
      await expect.poll(() => inView(page)).toBeLessThan(all);
      const close = await inView(page);
      await page.keyboard.press('-');
      await expect.poll(() => inView(page)).toBeGreaterThan(close);
      await page.keyboard.press('0');
      await expect.poll(() => inView(page)).toBe(all);
      await page.keyboard.press('ArrowDown');
      expect(await page.locator('#detail h2').innerText()).toContain('#2 two');
      await page.keyboard.press('PageDown');
      expect(await page.locator('#detail h2').innerText()).toContain('#2 second');
      expect(await facts(page)).toMatchObject({ guest: 'queue', ended: 'cancelled', waits: '0' });
      expect((await facts(page))['running']).toBeUndefined();
    });
  });

  test('the mouse chooses, drags and zooms', async () => {
    await open('page.html', async (page) => {
      const lanes = page.locator('#lanes');
      const box = await lanes.boundingBox();
      if (box === null) throw new Error('there are no lanes');
      const all = await inView(page);
      // The second row, behind the guest's name: `one`, in the middle of a wait.
      await lanes.click({ position: { x: 230, y: 24 + 30 } });
      expect(await page.locator('#detail h2').innerText()).toContain('#1 one');
      await page.mouse.move(box.x + 600, box.y + 50);
      await page.keyboard.down('Control');
      for (let turns = 0; turns < 5; turns++) await page.mouse.wheel(0, -100);
      await page.keyboard.up('Control');
      await expect.poll(() => inView(page)).toBeLessThan(all / 2);
      const before = await range(page);
      await page.mouse.down();
      await page.mouse.move(box.x + 500, box.y + 50, { steps: 4 });
      await page.mouse.up();
      await expect.poll(() => range(page)).not.toBe(before);
      expect(await page.locator('#detail h2').innerText()).toContain('#1 one');
      await page.getByRole('button', { name: 'All' }).click();
      await expect.poll(() => inView(page)).toBe(all);
    });
  });

  test('two fingers zoom, one moves, in a narrow window that it fits', async () => {
    await open(
      'page.html',
      async (page) => {
        const overflow = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect(overflow).toBe(0);
        const lanes = page.locator('#lanes');
        await lanes.scrollIntoViewIfNeeded();
        const box = await lanes.boundingBox();
        if (box === null) throw new Error('there are no lanes');
        const all = await inView(page);
        const session = await page.context().newCDPSession(page);
        const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', ...xs: number[]): Promise<unknown> =>
          session.send('Input.dispatchTouchEvent', {
            type,
            touchPoints: xs.map((x, id) => ({ x: box.x + x, y: box.y + 60, id })),
          });
        await touch('touchStart', 180, 220);
        for (const by of [10, 30, 50]) await touch('touchMove', 180 - by, 220 + by);
        await touch('touchEnd');
        await expect.poll(() => inView(page)).toBeLessThan(all);
        const before = await range(page);
        await touch('touchStart', 250);
        for (const x of [230, 210, 190]) await touch('touchMove', x);
        await touch('touchEnd');
        await expect.poll(() => range(page)).not.toBe(before);
        await touch('touchStart', 250);
        await touch('touchEnd');
        expect(await page.locator('#detail h2').count()).toBe(1);
      },
      { viewport: { width: 360, height: 740 }, hasTouch: true },
    );
  });

  test('search and legend leave the fibers that are asked for, in the table too', async () => {
    await open('page.html', async (page) => {
      await page.keyboard.press('/');
      await page.keyboard.type('TWO');
      expect(await page.locator('#found').innerText()).toBe('1 fiber');
      await page.keyboard.press('Enter');
      expect(await page.locator('#detail h2').innerText()).toContain('#2 two');
      await page.locator('#to-table').click();
      const names = (): Promise<string[]> => page.locator('#table tbody td:first-child bdi').allInnerTexts();
      expect(await names()).toEqual(['#2 two']);
      await page.keyboard.press('Escape');
      expect(await names()).toHaveLength(8);
      const cancelled = page.getByRole('button', { name: 'cancelled (1)' });
      await cancelled.click();
      expect(await cancelled.getAttribute('aria-pressed')).toBe('true');
      expect(await names()).toEqual(['#2 second']);
      await cancelled.click();
      await page.getByRole('button', { name: 'waits' }).click();
      const waits = (await page.locator('#table tbody td:nth-child(7)').allInnerTexts()).map(Number);
      expect(waits).toEqual([...waits].sort((left, right) => right - left));
      // What an error says is found as well.
      await page.locator('#search').fill('onerror');
      expect(await page.locator('#found').innerText()).toBe('2 fibers');
    });
  });

  test('shows hostile names as text', async () => {
    await open('page.html', async (page) => {
      await page.locator('#to-table').click();
      const shown = HOSTILE.replace('\u202e', String.raw`\u{202e}`);
      await page.getByRole('button', { name: '#5' }).click();
      expect(await page.locator('#detail h2').innerText()).toContain(shown);
      await page.getByRole('button', { name: '#4 doomed' }).click();
      expect(await page.locator('#detail pre').innerText()).toBe(`Error: ${shown}`);
      expect(await page.locator('img').count()).toBe(0);
      expect(await page.title()).toBe('two guests: timeline of fibers');
    });
  });

  test('a fiber that waits for another leads to it', async () => {
    await open('page.html', async (page) => {
      await page.locator('#search').fill('first');
      await page.locator('#search').press('Enter');
      await page.getByRole('button', { name: /^waiting at/ }).click();
      expect((await facts(page))['for']).toBe('#6 once');
      await page.locator('#detail').getByRole('button', { name: '#6 once', exact: true }).click();
      expect(await facts(page)).toMatchObject({ guest: 'app', 'spawned by': '#1 first' });
    });
  });

  test('a hundred thousand events of thousands of fibers scroll and zoom without effort', async () => {
    const recorder = new FiberRecorder();
    const guest = await core((x) => turn().then(() => x), { onEvent: recorder.listener('many') });
    await Promise.all(Array.from({ length: 5000 }, () => guest.exports.loop_of(9, 1)));
    expect(recorder.events).toHaveLength(100_000);
    await writeFile(at('many.html'), recorder.toHTML());
    await open('many.html', async (page) => {
      expect(await page.locator('.summary dd').allInnerTexts()).toContain('45000');
      // The page's own work for a frame, not what the machine makes of it.
      const usual = await page.evaluate(async () => {
        const lanes = document.querySelector('#lanes');
        if (lanes === null) return Infinity;
        const times: number[] = [];
        for (let step = 0; step < 40; step++) {
          await new Promise(requestAnimationFrame);
          const key = ['+', 'ArrowDown', '-', 'ArrowRight'][step % 4] ?? '';
          const begin = performance.now();
          lanes.scrollTop = step * 1999;
          lanes.dispatchEvent(new KeyboardEvent('keydown', { key }));
          await new Promise<void>((resolve) => requestAnimationFrame(() => resolve()));
          times.push(performance.now() - begin);
        }
        return times.sort((left, right) => left - right)[20] ?? Infinity;
      });
      // A frame at 60 Hz is 17 ms; a page that drew everything would take hundreds.
      expect(usual).toBeLessThan(100);
      await page.locator('#search').fill('#4999 ');
      expect(await page.locator('#found').innerText()).toBe('1 fiber');
    });
  });

  test('speedscope reads the trace events: a profile for each fiber that ran', async () => {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    try {
      // What its own command does to open a file.
      const contents = (await readFile(at('trace.json'))).toString('base64');
      await writeFile(at('trace.js'), `speedscope.loadFileFromBase64('trace.json', '${contents}')`);
      const app = pathToFileURL(path.join(ROOT, 'node_modules/speedscope/dist/release/index.html'));
      app.hash = `localProfilePath=${at('trace.js')}`;
      await page.goto(app.href);
      // Seven of the eight: `second` was cancelled before it ran.
      await page.getByText('(1/7)').waitFor();
      expect(await page.locator('body').innerText()).toContain('app (pid 1), #1 one (tid 1)');
      expect(problems).toEqual([]);
    } finally {
      await page.close();
    }
  });
});

describe.skipIf(!(await hasGuest('program')))('wasm-fibers run --trace (it needs clang)', () => {
  let program: string;
  beforeAll(async () => {
    program = at('program.wasm');
    // Instrumented, which takes the command seconds.
    await writeFile(program, await loadGuestFor('asyncify', 'program'));
  });

  async function run(...args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
    const command = [path.join(ROOT, 'build/host/cli/main.js'), 'run', '--no-cache', ...args];
    const child = spawn(process.execPath, ['--no-warnings', ...command], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (data) => (stderr += String(data)));
    return new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr })));
  }

  test('writes what the program waited for, as trace events', async () => {
    expect(await run('--trace', at('sleep.json'), program, 'sleep', '30')).toMatchObject({ code: 0 });
    const file = JSON.parse(await readFile(at('sleep.json'), 'utf8')) as TraceFile;
    expect(violations(file)).toEqual([]);
    const waits = file.traceEvents.filter(({ ph }) => ph === 'b').map(({ name }) => name);
    expect(waits).toContain('wasi_snapshot_preview1.poll_oneoff');
  });

  test('writes a page, also of a program that exits or takes too long', async () => {
    expect(await run('--trace', at('exit.html'), program, 'exit', '3')).toMatchObject({ code: 3 });
    const exited = await readFile(at('exit.html'), 'utf8');
    expect(exited).toContain('<title>program.wasm: timeline of fibers</title>');
    // To exit is not to fail, though it is done by a trap.
    expect(exited).toContain('"outcomes":[0]');
    expect(await run('--timeout', '200', '--trace', at('late.html'), program, 'sleep', '60000')).toMatchObject({
      code: 124,
    });
    expect(await readFile(at('late.html'), 'utf8')).toContain('"outcomes":[2]');
  });

  test('refuses what it could not write, before the program has run', async () => {
    const kind = await run('--trace', at('trace.txt'), program, 'exit', '3');
    expect([kind.code, kind.stderr]).toEqual([2, expect.stringContaining('.html or .json')]);
    const nowhere = await run('--trace', at('nowhere/trace.html'), program, 'exit', '3');
    expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringContaining('nowhere')]);
    expect((await readdir(folder)).filter((name) => name.includes('tmp'))).toEqual([]);
  });
});
