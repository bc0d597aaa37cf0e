/** Source maps: how engines write the frames of guests, and what an application that uses this entry has to load. */
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { isBoundary, parseLine, parseStack, printFrame } from '../../host/source-maps/frames.ts';
import { guestFrames as guestFramesOfTrace } from '../../host/trace.ts';
import { ROOT } from '../support/temporary.ts';

const PLACE = { file: 'app.ts', line: 3, column: 7 };
const COMPILED = 'http://host/@fs/app.js line 3 > WebAssembly.compile';

describe('a frame', () => {
  test.each([
    ['V8', '    at leaf (wasm://wasm/1a2b3c4d:wasm-function[12]:0x1f)', 'leaf', '    at leaf (app.ts:3:7)'],
    ['V8, no names', '    at wasm://wasm/1a2b3c4d:wasm-function[12]:0x1f', null, '    at app.ts:3:7'],
    [
      'V8, a module with a name',
      '    at my app.leaf (wasm://wasm/my app-1a2b3c4d:wasm-function[12]:0x1f)',
      'leaf',
      '    at leaf (app.ts:3:7)',
    ],
    [
      'V8, compiled while it was loaded',
      '    at app.wasm.leaf (https://host/app.wasm:wasm-function[12]:0x1f)',
      'leaf',
      '    at leaf (app.ts:3:7)',
    ],
    [
      'V8, brackets in a name',
      '    at f(int, char (*)[2]) (wasm://wasm/1a2b3c4d:wasm-function[12]:0x1f)',
      'f(int, char (*)[2])',
      '    at f(int, char (*)[2]) (app.ts:3:7)',
    ],
    [
      'V8, what asc escapes',
      '    at Map<%28i32%2Ci32%29=>i32>#get (wasm://wasm/1a2b3c4d:wasm-function[12]:0x1f)',
      'Map<(i32,i32)=>i32>#get',
      '    at Map<(i32,i32)=>i32>#get (app.ts:3:7)',
    ],
    [
      'V8, asynchronous',
      '    at async leaf (wasm://wasm/1a2b3c4d:wasm-function[12]:0x1f)',
      'leaf',
      '    at async leaf (app.ts:3:7)',
    ],
    ['SpiderMonkey', `leaf@${COMPILED}:wasm-function[12]:0x1f`, 'leaf', 'leaf@app.ts:3:7'],
    ['SpiderMonkey, no names', `@${COMPILED}:wasm-function[12]:0x1f`, null, '@app.ts:3:7'],
    [
      'SpiderMonkey, a name with @',
      `leaf@varargs@${COMPILED}:wasm-function[12]:0x1f`,
      'leaf@varargs',
      'leaf@varargs@app.ts:3:7',
    ],
    ['SpiderMonkey, by address', '@https://host/app.wasm:wasm-function[12]:0x1f', null, '@app.ts:3:7'],
    ['SpiderMonkey, asynchronous', `async*leaf@${COMPILED}:wasm-function[12]:0x1f`, 'leaf', 'async*leaf@app.ts:3:7'],
    ['fiber.stack', 'leaf (wasm-function[12]:0x1f)', 'leaf', 'leaf (app.ts:3:7)'],
    ['fiber.stack, no names', 'wasm-function[12]:0x1f', null, 'app.ts:3:7'],
  ])('of %s', (_, text, name, printed) => {
    const line = parseLine(text);
    expect(line.frame).toMatchObject({ name, index: 12, offset: 0x1f });
    expect(printFrame(line, name, PLACE)).toBe(printed);
    // What was mapped is no frame of a module any more.
    expect(parseLine(printed).frame).toBeNull();
  });

  test.each([
    '    at call (file:///app/asyncify.js:481:20)',
    'call@http://host/asyncify.js:481:20',
    'leaf@[wasm code]',
    '<?>.wasm-function[12]@[wasm code]',
    '',
  ])('is not: %s', (text) => {
    expect(parseLine(text)).toMatchObject({ text, frame: null });
  });
});

describe('a stack of SpiderMonkey with a debugger', () => {
  const STACK = [
    `leaf@${COMPILED}:wasm-function[2]:0x20`,
    `operator*@${COMPILED}:wasm-function[1]:0x10`,
    'call@http://host/asyncify.js:481:20',
    'promise callback*listen@http://host/thenable.js:15:16',
    `before@${COMPILED}:wasm-function[2]:0x18`,
    '',
  ].join('\n');

  test('has frames that are not on the stack any more', () => {
    const lines = parseStack(STACK, 'unreachable executed');
    expect(lines.map(({ text }) => text).join('\n')).toBe(STACK);
    expect(lines.findIndex(isBoundary)).toBe(3);
  });

  test('says of a waiting fiber only where it waits', () => {
    expect(guestFramesOfTrace(STACK)).toEqual(['leaf', 'operator*']);
    expect(guestFramesOfTrace(STACK, true)).toEqual([
      'leaf (wasm-function[2]:0x20)',
      'operator* (wasm-function[1]:0x10)',
    ]);
  });
});

describe('the first line', () => {
  const FRAME = '    at leaf (wasm://wasm/1a2b3c4d:wasm-function[12]:0x1f)';

  test.each([
    ['a message', 'it broke', `Error: it broke\n${FRAME}`],
    ['no message', '', `Error\n${FRAME}`],
    ['several lines with a frame in them', `why:\n${FRAME}`, `Error: why:\n${FRAME}\n${FRAME}`],
    ['a message that is in a frame too', '1f)', `Error: 1f)\n${FRAME}`],
    ['a message that is not in the stack', 'changed', `Error: it broke\n${FRAME}`],
  ])('with %s', (_, message, stack) => {
    const lines = parseStack(stack, message);
    expect(lines.map(({ text }) => text).join('\n')).toBe(stack);
    expect(lines.filter(({ frame }) => frame !== null)).toHaveLength(1);
  });

  test('that is a frame already, with the message in it', () => {
    const stack = `leaf@${COMPILED}:wasm-function[2]:0x20\n`;
    for (const message of ['leaf', '0', '0x20', 'http']) {
      expect(parseStack(stack, message).filter(({ frame }) => frame !== null)).toHaveLength(1);
    }
  });
});

/** Bytes, minified and gzipped, with the package that decodes maps: just above what it takes. */
const LIMIT = 9_000;

test(`the entry runs in browsers and takes at most ${LIMIT} bytes, minified and gzipped`, async () => {
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [path.join('build', 'host', 'source-maps', 'index.js')],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    external: ['node:*'],
    metafile: true,
    write: false,
    logLevel: 'silent',
  });
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
  expect(imports.filter((each) => each.external === true)).toEqual([]);
  const own = Object.keys(metafile.inputs).filter((file) => file.startsWith('build/'));
  expect(own.filter((file) => !/^build\/host\/(errors\.js|source-maps\/)/.test(file))).toEqual([]);
  const size = gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length;
  console.log(`source maps entry: ${size} bytes, minified and gzipped (at most ${LIMIT})`);
  expect(size).toBeGreaterThan(1000);
  expect(size).toBeLessThanOrEqual(LIMIT);
});
