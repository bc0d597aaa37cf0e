// The metering pass: what is paid where, what is refused, and that source maps and hints fit the module. How metered guests run is in
// test/spec/metering.test.ts; that they compute the same is tried by the fuzzer.
import { describe, expect, test } from 'vitest';
import { analyse } from '../../host/instrument/binary/analysis.ts';
import { decodeBody, Op } from '../../host/instrument/binary/code.ts';
import { readOutline } from '../../host/instrument/binary/module.ts';
import { Reader } from '../../host/instrument/binary/reader.ts';
import { instrument } from '../../host/instrument/index.ts';
import type { InstrumentOptions } from '../../host/instrument/index.ts';
import { chargesOf } from '../../host/instrument/metering/regions.ts';
import { parseSourceMap } from '../../host/instrument/source-map.ts';
import { assembleText } from '../proof/wat.ts';
import { assemble } from './instrument-driver.ts';

const NEVER = (): number => 0;

/** What the first function of a module pays: units, and whether it is checked. */
function charges(body: string, mustCheck = true): (readonly [units: number, checked: boolean])[] {
  const { bytes, bodies } = readOutline(
    assemble(`(module
      (func $f (param i32) (result i32) ${body})
      (func $g (param i32) (result i32) (local.get 0)))`),
  );
  const { start = 0, end = 0 } = bodies[0] ?? {};
  const callee = { isBounded: !mustCheck, unchecked: mustCheck ? 0 : 1900 };
  return chargesOf(bytes, start, end, NEVER, () => callee).charges.map(({ units, checked }) => [units, checked]);
}

/** So much that it is paid for by itself. */
const MUCH = Array.from({ length: 30 }, () => '(local.set 0 (i32.add (local.get 0) (i32.const 1)))').join(' ');
const UNITS = 30 * 4;

describe('a function pays', () => {
  test('once, if it is executed as a whole; and is checked if it calls what may take long', () => {
    expect(charges(`${MUCH} (local.get 0)`)).toEqual([[UNITS + 1, false]]);
    expect(charges(`${MUCH} (call $g (local.get 0))`)).toEqual([[UNITS + 1 + 6, true]]);
    expect(charges(`${MUCH} (call $g (local.get 0))`, false)).toEqual([[UNITS + 1 + 6, false]]);
  });

  test('each time around a loop, where it is checked', () => {
    const found = charges(`(loop $l ${MUCH} (br_if $l (local.get 0))) (local.get 0)`);
    expect(found).toEqual([
      [1, false],
      [1 + UNITS + 2, true],
    ]);
  });

  test('for an arm that takes much, only if it is taken', () => {
    expect(charges(`(if (local.get 0) (then ${MUCH}) (else ${MUCH})) (local.get 0)`)).toEqual([
      [3, false],
      [UNITS, false],
      [UNITS, false],
    ]);
  });

  test('for an arm that takes little, with what is around it', () => {
    expect(charges('(if (local.get 0) (then (local.set 0 (i32.const 1)))) (local.get 0)')).toEqual([[5, false]]);
  });

  test('for what is behind a branch that may leave, where it begins', () => {
    expect(charges(`(block $out (br_if $out (local.get 0)) ${MUCH}) (local.get 0)`)).toEqual([
      [3, false],
      [UNITS, false],
    ]);
  });

  test('for the arms of a switch one by one, as an interpreter has them', () => {
    const found = charges(`
      (loop $next
        (block $b (block $a (br_table $a $b (local.get 0))) ${MUCH} (br $next)) ${MUCH} (br $next))
      (local.get 0)`);
    expect(found).toEqual([
      [1 + 1 + 3, true],
      [UNITS + 1, false],
      [UNITS + 1, false],
    ]);
  });

  test('and is checked on the way, where it calls what is bounded over and over', () => {
    const calls = (times: number): string => '(local.set 0 (call $g (local.get 0))) '.repeat(times);
    const checksIn = (body: string): number =>
      charges(`${body} (local.get 0)`, false).filter(([, checked]) => checked).length;
    expect(checksIn(calls(10))).toBe(0);
    // At the most a stretch of 20,000 units and one call are between two of them.
    const least = (times: number): number => Math.floor((times * 1900) / (20_000 + 1910));
    expect(checksIn(calls(1000))).toBeGreaterThanOrEqual(least(1000));
    // Also where nothing but the way to the next call is left between two of them.
    expect(checksIn(`(block ${calls(1)})`.repeat(1000))).toBeGreaterThanOrEqual(least(1000));
    expect(checksIn(`(if (local.get 0) (then ${calls(9)}))`.repeat(100))).toBeGreaterThanOrEqual(least(900));
  });

  test('nothing for code that is never reached', () => {
    expect(charges(`(return (local.get 0)) (block (loop ${MUCH})) (local.get 0)`)).toEqual([[2, false]]);
  });
});

const LOOP = `(module
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 2 9)
  (table 5 funcref)
  (func (export "run") (param $n i32) (result i32)
    (loop $l
      (local.set $n (i32.sub (local.get $n) (call $wait (i32.const 1))))
      (br_if $l (local.get $n)))
    (local.get $n)))`;

const metered = (more: Partial<InstrumentOptions> = {}): ReturnType<typeof instrument> =>
  instrument(assemble(LOOP), { suspending: ['env.wait'], metered: true, ...more });

describe.each(['asyncify', 'jspi'] as const)('for %s', (target) => {
  test('imports named suspending are the ones of the module, and its metadata says that it is metered', async () => {
    const { suspending, metadata } = await metered({ target });
    expect(suspending).toEqual(['env.wait']);
    expect(metadata.metered).toBe(true);
    const { metadata: other } = await metered({ target, metered: false });
    expect(other.metered).toBe(false);
  });

  test('a module without imports can be metered', async () => {
    const alone = assemble('(module (memory 1) (func (export "run") (loop $l (br $l))))');
    const { metadata } = await instrument(alone, { suspending: [], metered: true, target, allocator: 'memory.grow' });
    expect(metadata.imports.map(({ name }) => name)).toEqual(['slice', 'limit']);
  });

  test.each([
    [{ memoryPages: 1 }, 'memory', '2 pages'],
    [{ tableElements: 4 }, 'table', '5 elements'],
  ])('what begins beyond %j is refused', async (limits, limit, has) => {
    const error: unknown = await metered({ target, limits }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'LIMIT_REACHED', limit });
    expect(String(error)).toContain(has);
  });

  test.each([
    [{ limits: { memoryPages: 3 }, metered: false }, /set "metered"/],
    [{ limits: { memoryPages: -1 } }, /limits.memoryPages" must be an integer from 0 to 65536/],
    [{ limits: { pages: 1 } }, /limits.pages" is no limit; there are memoryPages, tableElements, callDepth/],
  ])('%j is refused', async (options, message) => {
    await expect(metered({ target, ...(options as Partial<InstrumentOptions>) })).rejects.toThrow(message);
  });

  test('a source map still names the place of a call', async () => {
    const wasm = assemble(LOOP);
    const { bodies } = readOutline(wasm);
    let call = 0;
    decodeBody(wasm, bodies[0]?.start ?? 0, bodies[0]?.end ?? 0, ({ opcode, offset }) => {
      if (opcode === Op.Call) call = offset;
    });
    // One mapping, of the call, to line 7, column 3.
    const sourceMap = JSON.stringify({ version: 3, sources: ['a.c'], names: [], mappings: `${vlq(call)}AMG` });
    const result = await metered({ target, sourceMap });
    const { segments } = parseSourceMap(result.sourceMap ?? '');
    const places = new Set<string>();
    const outline = readOutline(result.wasm);
    for (const { start, end } of outline.bodies) {
      decodeBody(result.wasm, start, end, ({ opcode, offset }) => {
        const segment = segments.filter(([at]) => at <= offset).at(-1);
        if (opcode === Op.Call && segment?.length !== 1 && segment !== undefined)
          places.add(`${segment[2]}:${segment[3]}`);
      });
    }
    expect([...places]).toContain('6:3');
  });
});

test('engines are told for JSPI that a budget is hardly ever used up: each hint is of a check', async () => {
  const { wasm } = await metered({ target: 'jspi' });
  const { sections, bodies, importedFunctions } = readOutline(wasm);
  const names = sections.map(({ id, name }) => (id === 0 ? name : id));
  expect(names.indexOf('metadata.code.branch_hint')).toBeLessThan(names.indexOf(10));
  const section = sections.find(({ name }) => name === 'metadata.code.branch_hint');
  const reader = new Reader(wasm, section?.body ?? 0, section?.end ?? 0);
  const hinted = new Set<number>();
  for (let left = reader.u32(); left > 0; left--) {
    const { start = 0 } = bodies[reader.u32() - importedFunctions] ?? {};
    for (let hints = reader.u32(); hints > 0; hints--) {
      hinted.add(start + reader.u32());
      expect([reader.u32(), reader.byte()]).toEqual([1, 0]);
    }
  }
  const checks = new Set<number>();
  for (const { start, end } of bodies) {
    let last = 0;
    decodeBody(wasm, start, end, ({ opcode, offset }) => {
      if (opcode === Op.If && last === Op.I32LtS) checks.add(offset);
      last = opcode;
    });
  }
  expect(checks.size).toBeGreaterThan(1);
  expect(hinted).toEqual(checks);
});

test('functions that do little and are called by name only do not pay, and their callers are not checked for them', async () => {
  const wasm = assemble(`(module
    (memory 1)
    (func $little (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func (export "run") (param i32) (result i32) (call $little (call $little (local.get 0)))))`);
  const { wasm: result } = await instrument(wasm, { suspending: [], metered: true, target: 'jspi' });
  const outline = readOutline(result);
  const [little, run] = outline.bodies.map(({ start, end }) => {
    const seen: number[] = [];
    decodeBody(result, start, end, ({ opcode }) => void seen.push(opcode));
    return seen;
  });
  expect(little).not.toContain(Op.GlobalSet);
  expect(run?.filter((opcode) => opcode === Op.GlobalSet)).toHaveLength(1);
  expect(run).not.toContain(Op.I32LtS);
  expect(analyse(outline).functions).toHaveLength(outline.bodies.length);
});

/** Runs `run` with a budget of 1000 units; what is left of it when it is used up for the first time. */
async function leftWhenUsedUp(wat: string): Promise<number> {
  const { wasm } = await instrument(assembleText(wat), { suspending: [], metered: true, target: 'jspi' });
  const slice = (): never => {
    throw new Error('used up');
  };
  const module = await WebAssembly.compile(wasm as Uint8Array<ArrayBuffer>);
  const imports: Record<string, Record<string, () => void>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = from === 'wasm-fibers:meter' ? slice : () => undefined;
  }
  const instance = await WebAssembly.instantiate(module, imports);
  const { 'wasm-fibers.budget': budget, run } = instance.exports;
  (budget as WebAssembly.Global).value = 1000;
  expect(run).toThrow('used up');
  return Number((budget as WebAssembly.Global).value);
}

test.each([
  ['table.fill', '(table.fill $t (i32.const 0) (ref.null func) (i32.const 16384))'],
  ['table.copy', '(table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 16383))'],
  ['table.init', '(table.init $t $e (i32.const 0) (i32.const 0) (i32.const 600))'],
])('many of %s in a row: each is checked', async (_, instruction) => {
  const left = await leftWhenUsedUp(`(module (table $t 16384 funcref)
    (elem $e func ${'$f '.repeat(600)}) (func $f)
    (func (export "run") ${instruction.repeat(1000)}))`);
  // The way through a thousand instructions, and one of them.
  expect(left).toBeGreaterThan(-20_000);
});

test('what costs more than there are numbers leaves less than nothing', async () => {
  const grow = '(drop (table.grow $t (ref.null func) (i32.const -1)))';
  for (const times of [1, 2, 3, 4]) {
    const left = await leftWhenUsedUp(`(module (table $t 1 10 funcref)
      (func (export "run") ${grow.repeat(times)} (loop $l (br_if $l (i32.const 1)))))`);
    expect(left).toBeLessThan(-1_000_000);
  }
});

describe('operations of arrays', () => {
  /** What stands in the function, with `pay` for a call of it. */
  const codeOf = async (body: string): Promise<(number | 'pay')[]> => {
    const { wasm } = await instrument(
      assemble(`(module (type $a (array (mut i32))) (data $d "1234")
        (func (export "run") (param $n i32) (param $a (ref $a)) ${body}))`),
      { suspending: [], metered: true, target: 'jspi' },
    );
    const outline = readOutline(wasm);
    const { start = 0, end = 0 } = outline.bodies[0] ?? {};
    const seen: (number | 'pay')[] = [];
    decodeBody(wasm, start, end, ({ opcode, immediate }) => {
      const isPay = opcode === Op.Call && outline.names.functions.get(immediate) === 'wasm-fibers.pay';
      seen.push(isPay ? 'pay' : opcode);
    });
    return seen;
  };

  test.each([
    ['array.new', 6, '(drop (array.new $a (i32.const 1) (local.get $n)))'],
    ['array.new_default', 7, '(drop (array.new_default $a (local.get $n)))'],
    ['array.new_data', 9, '(drop (array.new_data $a $d (i32.const 0) (local.get $n)))'],
  ])('%s is checked before it is made', async (_, sub, body) => {
    const code = await codeOf(body);
    expect(code.indexOf('pay')).toBe(code.indexOf(0xfb_0000 | sub) - 1);
  });

  test.each([
    ['array.fill', 16, '(array.fill $a (local.get $a) (i32.const 0) (i32.const 1) (local.get $n))'],
    ['array.copy', 17, '(array.copy $a $a (local.get $a) (i32.const 0) (local.get $a) (i32.const 0) (local.get $n))'],
    ['array.init_data', 18, '(array.init_data $a $d (local.get $a) (i32.const 0) (i32.const 0) (local.get $n))'],
  ])('%s is checked when it is done', async (_, sub, body) => {
    const code = await codeOf(body.repeat(3));
    const at = code.indexOf(0xfb_0000 | sub);
    expect(code.slice(at + 1, at + 5)).toEqual([Op.LocalGet, Op.I32Const, Op.I32ShrU, 'pay']);
    expect(code.filter((each) => each === 'pay')).toHaveLength(3);
  });

  test('one of a small known length is paid for with what is around it', async () => {
    expect(await codeOf('(drop (array.new_default $a (i32.const 4096)))')).not.toContain('pay');
    expect(await codeOf('(drop (array.new_default $a (i32.const 4097)))')).toContain('pay');
  });
});

test('a chain of calls, however long, is metered', async () => {
  const length = 20_000;
  const links = Array.from({ length }, (_, at) => `(func $f${at} (result i32) (call $f${at + 1}))`).join('\n');
  const wasm = assemble(
    `(module (memory 1) ${links} (func $f${length} (result i32) (i32.const 1)) (func (export "run") (result i32) (call $f0)))`,
    false,
  );
  const { wasm: result } = await instrument(wasm, { suspending: [], metered: true, target: 'jspi' });
  expect(WebAssembly.validate(result as Uint8Array<ArrayBuffer>)).toBe(true);
});

/** A number as source maps write it. */
function vlq(value: number): string {
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  let text = '';
  for (let rest = value << 1; ;) {
    const digit = rest & 31;
    rest >>>= 5;
    text += digits[rest > 0 ? digit | 32 : digit] ?? '';
    if (rest === 0) return text;
  }
}
