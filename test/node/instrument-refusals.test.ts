/** What cannot work is refused with a sentence that names the thing, the reason and the remedy, and with a code. */
import { describe, expect, test } from 'vitest';
import { FiberError, inspect, instrument } from '../../host/instrument/index.ts';
import type { InstrumentOptions } from '../../host/instrument/index.ts';
import { assembleText } from '../proof/wat.ts';
import { assemble, drive } from './instrument-driver.ts';

const SLEEP = '(import "env" "sleep" (func $sleep (param i32) (result i32)))';
const MEMORY = '(memory (export "memory") 1)';

async function refusal(wasm: Uint8Array, options: Partial<InstrumentOptions> = {}): Promise<FiberError> {
  const error: unknown = await instrument(wasm, { suspending: ['env.*'], ...options }).then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof FiberError)) throw error;
  return error;
}

const expectRefusal = async (
  wasm: Uint8Array,
  code: string,
  parts: readonly (string | RegExp)[],
  options: Partial<InstrumentOptions> = {},
): Promise<void> => {
  const error = await refusal(wasm, options);
  expect(error.code).toBe(code);
  for (const part of parts) expect(error.message).toMatch(part);
};

const text = (source: string): Uint8Array => new TextEncoder().encode(source);
const PLAIN = assemble(
  `(module ${SLEEP} ${MEMORY} (func $caller (export "f") (result i32) (call $sleep (i32.const 1))))`,
);

describe('files', () => {
  test.each<[string, Uint8Array, string, (string | RegExp)[]]>([
    ['empty', new Uint8Array(), 'NOT_WASM', ['empty']],
    ['text format', text('(module (func))'), 'NOT_WASM', ['text format', 'wat2wasm']],
    ['HTML', text('<!doctype html><html>'), 'NOT_WASM', ['HTML page']],
    ['JavaScript', text('export default 1;'), 'NOT_WASM', ['00 61 73 6D']],
    ['gzip', Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0), 'NOT_WASM', ['gunzip']],
    ['a component', Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0), 'NOT_WASM', ['component', 'jco transpile']],
    ['a future version', Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0), 'NOT_WASM', ['version 2']],
    ['the first four bytes', PLAIN.subarray(0, 4), 'NOT_WASM', ['truncated']],
    ['all but the last byte', PLAIN.subarray(0, -1), 'BAD_MODULE', ['truncated', /byte \d+/]],
  ])('%s', (_, wasm, code, parts) => expectRefusal(wasm, code, parts));

  test('every truncation is refused, never a crash', () => {
    for (let length = 0; length < PLAIN.length; length++) {
      try {
        inspect(PLAIN.subarray(0, length));
      } catch (error) {
        expect(error).toBeInstanceOf(FiberError);
        expect(['NOT_WASM', 'BAD_MODULE']).toContain((error as FiberError).code);
      }
    }
  });

  test('every flipped byte is either read or refused, never a crash', () => {
    for (let at = 8; at < PLAIN.length; at++) {
      for (const flip of [1, 0x40, 0x80, 0xff]) {
        const bytes = PLAIN.slice();
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        try {
          inspect(bytes);
        } catch (error) {
          if (!(error instanceof FiberError)) throw error;
        }
      }
    }
    expect(PLAIN.length).toBeGreaterThan(50);
  });

  test('a string instead of bytes', async () => {
    const error = await instrument('app.wasm' as unknown as Uint8Array, { suspending: ['*'] }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'NOT_WASM', message: expect.stringContaining('a string') });
  });
});

describe('already instrumented', () => {
  test('by us: says so, and with which imports', async () => {
    const { wasm } = await instrument(PLAIN, { suspending: ['env.sleep'] });
    await expectRefusal(wasm, 'ALREADY_INSTRUMENTED', ['by wasm-fibers', 'format 3', 'env.sleep', 'original module']);
  });

  test("by somebody's Asyncify", async () => {
    const exports = ['start_unwind', 'stop_unwind', 'start_rewind', 'stop_rewind', 'get_state']
      .map((name) => `(func (export "asyncify_${name}"))`)
      .join('');
    await expectRefusal(assemble(`(module ${SLEEP} ${MEMORY} ${exports})`), 'ALREADY_INSTRUMENTED', [
      'another tool',
      '-sASYNCIFY',
    ]);
  });
});

describe('names', () => {
  test.each<[string, string, string]>([
    ['an import from asyncify', '(import "asyncify" "start_unwind" (func (param i32)))', 'asyncify.start_unwind'],
    [
      'an import from wasm-fibers',
      '(import "wasm-fibers" "drain" (func (param i32) (result i32)))',
      'wasm-fibers.drain',
    ],
    ['an export asyncify_...', '(func (export "asyncify_get_state"))', 'asyncify_get_state'],
    ['an export wasm-fibers....', '(func (export "wasm-fibers.start"))', 'wasm-fibers.start'],
  ])('%s is reserved', async (_, field, name) => {
    await expectRefusal(assemble(`(module ${SLEEP} ${field} ${MEMORY})`), 'RESERVED_NAME', [
      name,
      'reserved',
      'Rename',
    ]);
  });

  test('no suspending imports: lists them all with their types', async () => {
    await expectRefusal(PLAIN, 'NO_SUSPENDING_IMPORTS', ['--suspending', /env\.sleep +\(i32\) -> i32/], {
      suspending: [],
    });
  });

  test('a module that imports no functions', async () => {
    await expectRefusal(assemble(`(module ${MEMORY})`), 'NO_SUSPENDING_IMPORTS', ['imports no functions']);
  });

  test('a suspending name that matches nothing: suggests and lists', async () => {
    await expectRefusal(
      PLAIN,
      'NO_MATCH',
      ['env.slep matches no import', 'Did you mean "env.sleep"', /\(i32\) -> i32/],
      {
        suspending: ['env.sleep', 'env.slep'],
      },
    );
  });

  test.each(['only', 'add', 'remove'] as const)(
    'a name in the %s list that matches nothing: suggests',
    async (list) => {
      await expectRefusal(PLAIN, 'NO_MATCH', [`--${list} calller`, 'Did you mean "caller"'], { [list]: ['calller'] });
    },
  );

  test('a list without a name section says that names are missing', async () => {
    const wasm = assemble(`(module ${SLEEP} ${MEMORY} (func (export "f") (drop (call $sleep (i32.const 1)))))`, false);
    await expectRefusal(wasm, 'NO_MATCH', ['no name section', '-g'], { remove: ['caller'] });
  });

  test('a function in the add list and in the remove list', async () => {
    await expectRefusal(PLAIN, 'INVALID_OPTION', ['"caller"', 'both'], { add: ['caller'], remove: ['call*'] });
  });

  test('an only list beside another', async () => {
    await expectRefusal(PLAIN, 'INVALID_OPTION', ['cannot be combined'], { only: ['caller'], remove: ['caller'] });
  });

  test('a global that does not exist, or is no pointer', async () => {
    const wasm = assemble(
      `(module ${SLEEP} ${MEMORY} (global $stack_pointer i32 (i32.const 4096)) (export "g" (global 0)))`,
    );
    await expectRefusal(wasm, 'NO_MATCH', ['"__stack_pointer"', 'Did you mean "stack_pointer"'], {
      stackPointer: '__stack_pointer',
    });
    await expectRefusal(wasm, 'INVALID_OPTION', ['immutable i32', 'mutable i32'], { stackPointer: 'stack_pointer' });
    await expectRefusal(wasm, 'NO_MATCH', ['has 1 globals'], { fiberGlobals: ['7'] });
  });
});

describe('options', () => {
  test.each<[string, unknown, string]>([
    ['optimizeLevel', 5, 'from 0 to 4'],
    ['optimizeLevel', '2', 'not "2"'],
    ['shrinkLevel', 1.5, 'not 1.5'],
    ['suspending', 'env.sleep', 'array'],
    ['ignoreIndirect', 'yes', 'true or false'],
    ['shadowStack', 'clang', "'llvm'"],
    ['allocator', ['malloc'], '[alloc, free]'],
    ['optimiseLevel', 2, 'did you mean "optimizeLevel"?'],
  ])('%s: %j', (option, value, part) =>
    expectRefusal(PLAIN, 'INVALID_OPTION', [`"${option}"`, part], { [option]: value }),
  );

  test('a source map that is none', async () => {
    await expectRefusal(PLAIN, 'BAD_SOURCE_MAP', ['not JSON'], { sourceMap: '<' });
    await expectRefusal(PLAIN, 'BAD_SOURCE_MAP', ['version 3'], { sourceMap: '{"version":2}' });
    await expectRefusal(PLAIN, 'BAD_SOURCE_MAP', ['Base64'], {
      sourceMap: '{"version":3,"sources":[],"mappings":"!"}',
    });
  });
});

describe('features', () => {
  test('shared memory', async () => {
    const wasm = assemble(`(module ${SLEEP} (memory (export "memory") 1 2 shared))`);
    await expectRefusal(wasm, 'UNSUPPORTED_FEATURE', ['threads', '-pthread']);
  });

  test('memory64', async () => {
    await expectRefusal(assemble(`(module ${SLEEP} (memory (export "memory") i64 1))`), 'UNSUPPORTED_FEATURE', [
      'wasm32',
    ]);
  });

  test('several memories', async () => {
    await expectRefusal(assemble(`(module ${SLEEP} (memory 1) (memory 1))`), 'UNSUPPORTED_FEATURE', ['2 memories']);
  });

  test.each(['dylink.0', 'linking'])('a %s section', async (name) => {
    const section = text(`\0${String.fromCharCode(name.length + 1, name.length)}${name}`);
    await expectRefusal(Uint8Array.of(...PLAIN, ...section), 'UNSUPPORTED_FEATURE', [`${name.split('.')[0]} section`]);
  });

  test('tail calls where a fiber may wait', async () => {
    const wasm = assemble(`(module ${SLEEP} ${MEMORY}
      (func $tail (export "f") (param i32) (result i32) (return_call $sleep (local.get 0))))`);
    // No advice that would be refused in its turn: a module with tail calls cannot be watched for suspensions.
    const remedy =
      /Compile without tail calls: -mno-tail-call, -C target-feature=-tail-call, no musttail\. Or instrument/;
    await expectRefusal(wasm, 'UNSUPPORTED_FEATURE', ['"tail"', 'return_call', remedy]);
    await expectRefusal(wasm, 'UNSUPPORTED_FEATURE', ['cannot be watched', remedy], { remove: ['tail'] });
  });

  test('tail calls elsewhere are fine, and stay tail calls', async () => {
    const wasm = assemble(`(module (type $void (func)) ${SLEEP} ${MEMORY} (table 1 1 funcref) (elem (i32.const 0) $end)
      (global $count (mut i32) (i32.const 0))
      (func $end (global.set $count (i32.add (global.get $count) (i32.const 1))))
      (func $down (export "down") (param i32) (result i32)
        (if (local.get 0) (then (return_call $down (i32.sub (local.get 0) (i32.const 1)))))
        (call $twice) (global.get $count))
      (func $twice (if (global.get $count) (then (return_call $end))) (call $end) (return_call $end))
      (func (export "f") (result i32) (call $sleep (i32.const 1))))`);
    for (const optimizeLevel of [0, 2] as const) {
      const result = await instrument(wasm, { suspending: ['env.*'], optimizeLevel });
      expect(result.functions.instrumented).toBe(1);
      const guest = await drive(result, { 'env.sleep': () => Promise.resolve(4) });
      expect(guest.call('down', 1_000_000)).toBe(2);
      expect(await guest.run('f')).toBe(4);
    }
    const wayAround = /; or instrument without --only, --remove and --ignore-indirect\. Or instrument/;
    await expectRefusal(wasm, 'UNSUPPORTED_FEATURE', ['cannot be watched', wayAround], { ignoreIndirect: true });
  });

  const TRY_TABLE = `(tag $t) (func $modern (export "f") (block $caught (try_table (catch_all $caught) (CALL))))`;
  test('try_table around a wait', async () => {
    const wasm = assemble(
      `(module ${SLEEP} ${MEMORY} ${TRY_TABLE.replace('(CALL)', '(drop (call $sleep (i32.const 1)))')})`,
    );
    await expectRefusal(wasm, 'UNSUPPORTED_FEATURE', ['"modern"', 'try_table', 'WASM_LEGACY_EXCEPTIONS']);
  });

  test('try_table elsewhere is fine', async () => {
    const wasm = assemble(`(module ${SLEEP} ${MEMORY} (func $other) ${TRY_TABLE.replace('(CALL)', '(call $other)')}
      (func (export "g") (drop (call $sleep (i32.const 1)))))`);
    const { functions } = await instrument(wasm, { suspending: ['env.*'] });
    expect(functions.instrumented).toBe(1);
  });

  test('a reference alive across a wait: names the function', async () => {
    const wasm =
      assemble(`(module ${SLEEP} (import "js" "get" (func $get (result externref))) (import "js" "use" (func $use (param externref))) ${MEMORY}
      (func $fine (export "g") (call $use (call $get)) (drop (call $sleep (i32.const 1))))
      (func $holder (export "f") (local $r externref)
        (local.set $r (call $get)) (drop (call $sleep (i32.const 1))) (call $use (local.get $r))))`);
    await expectRefusal(wasm, 'UNSUPPORTED_FEATURE', ['The function "holder" keeps a reference', 'Keep it in a table']);
  });

  test.each([
    ['a function', '(call $waits (call $get))', ''],
    [
      'a table',
      '(call_indirect (type $taker) (call $get) (i32.const 0))',
      '(table 1 1 funcref) (elem (i32.const 0) $waits)',
    ],
  ])('a reference handed to a function that may wait, called through %s: names the caller', async (_, call, table) => {
    const wasm = assemble(`(module (type $taker (func (param externref)))
      ${SLEEP} (import "js" "get" (func $get (result externref))) ${MEMORY} ${table}
      (func $waits (type $taker) (drop (call $sleep (i32.const 1))))
      (func $giver (export "f") ${call}))`);
    // Rewinding, Binaryen's Asyncify calls again with the same arguments.
    await expectRefusal(wasm, 'UNSUPPORTED_FEATURE', ['The function "giver" keeps a reference', 'Keep it in a table'], {
      fastPath: false,
    });
  });

  test('a reference that is not alive across a wait is fine', async () => {
    const wasm =
      assemble(`(module ${SLEEP} (import "js" "get" (func $get (result externref))) (import "js" "use" (func $use (param externref))) ${MEMORY}
      (func $fine (export "g") (call $use (call $get)) (drop (call $sleep (i32.const 1)))))`);
    expect((await instrument(wasm, { suspending: ['env.*'] })).functions.instrumented).toBe(1);
  });

  test('a call that returns a reference that cannot be null', async () => {
    const wasm = assemble(`(module (type $s (struct)) ${SLEEP} ${MEMORY} (func $make (result (ref $s)) (struct.new $s))
      (func $user (export "f") (result i32) (drop (call $make)) (call $sleep (i32.const 1))))`);
    await expectRefusal(wasm, 'UNSUPPORTED_FEATURE', ['"user"', 'cannot be null', 'nullable']);
  });

  test('features that a module uses without saying so are found in its code', async () => {
    const wasm = assemble(`(module (type $s (struct (field i32))) ${SLEEP} ${MEMORY}
      (global $sum i32 (i32.add (i32.const 1) (i32.const 2)))
      (func (export "f") (result i32)
        (drop (struct.get $s 0 (struct.new $s (i32.const 1))))
        (drop (i32.atomic.load (i32.const 0)))
        (i32.add (global.get $sum) (call $sleep (i32.const 1)))))`);
    expect((await instrument(wasm, { suspending: ['env.*'] })).functions.instrumented).toBe(1);
  });

  test('call_ref that may wait', async () => {
    const wasm =
      assemble(`(module (type $f (func (param i32) (result i32))) ${SLEEP} ${MEMORY} (elem declare func $sleep)
      (func $indirect (export "f") (result i32) (call_ref $f (i32.const 1) (ref.func $sleep))))`);
    await expectRefusal(wasm, 'UNSUPPORTED_FEATURE', ['"indirect"', 'call_ref', 'call_indirect']);
  });

  test('a module that Binaryen finds invalid', async () => {
    // The body returns nothing where an i32 is declared: decodable, not valid.
    const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f];
    const body = [2, 7, 1, 1, 0x65, 1, 0x73, 0, 0, 3, 2, 1, 0, 10, 4, 1, 2, 0, 0x0b];
    const wasm = Uint8Array.from(header.concat(body));
    const error = await refusal(wasm, { suspending: ['*'] });
    expect(['UNSUPPORTED_FEATURE', 'BINARYEN_FAILED']).toContain(error.code);
    expect(error.message).not.toContain('[object');
  });
});

describe('guests', () => {
  test('without an allocator that could be found', async () => {
    const wasm = assemble(
      `(module ${SLEEP} ${MEMORY} (func (export "f") (result i32) (drop (memory.grow (i32.const 1))) (call $sleep (i32.const 1))))`,
    );
    await expectRefusal(wasm, 'NO_ALLOCATOR', ['--export=malloc', '--allocator']);
    await expectRefusal(wasm, 'NO_MATCH', ['"my_alloc"'], { allocator: ['my_alloc', 'my_free'] });
    expect((await instrument(wasm, { suspending: ['*'], allocator: 'memory.grow' })).metadata.allocator).toEqual({
      kind: 'grow',
    });
  });

  test('with a memory that cannot grow', async () => {
    const wasm = assemble(
      `(module ${SLEEP} (memory (export "memory") 1 1) (func (export "f") (result i32) (call $sleep (i32.const 1))))`,
    );
    await expectRefusal(wasm, 'NO_ALLOCATOR', ['cannot grow', 'maximum']);
  });

  test('AssemblyScript without its guest part', async () => {
    const wasm = assemble(`(module ${SLEEP} (import "env" "abort" (func (param i32 i32 i32 i32))) ${MEMORY}
      (global $~lib/memory/__stack_pointer (mut i32) (i32.const 40000))
      (func (export "f") (result i32) (call $sleep (i32.const 1))))`);
    await expectRefusal(wasm, 'MISSING_GUEST_PART', ['__fibers_window', 'assembly/fibers.ts']);
  });
});

/** What neither of the two ways to rewrite for Asyncify can carry, and engines that switch stacks themselves do. */
const ONLY_JSPI: Readonly<Record<string, { readonly fields: string; readonly parts: readonly (string | RegExp)[] }>> = {
  'a tail call where a fiber may wait': {
    fields: `(func $culprit (export "f") (param i32) (result i32) (return_call $sleep (local.get 0)))`,
    parts: ['"culprit"', 'return_call', '-mno-tail-call'],
  },
  'a tail call through a table where a fiber may wait': {
    fields: `(type $t (func (param i32) (result i32))) (table 1 1 funcref) (elem (i32.const 0) $sleep)
      (func $culprit (export "f") (param i32) (result i32)
        (return_call_indirect (type $t) (local.get 0) (i32.const 0)))`,
    parts: ['"culprit"', 'return_call', '-mno-tail-call'],
  },
  'a try_table around a wait': {
    fields: `(tag $t) (func $culprit (export "f")
      (block $caught (try_table (catch_all $caught) (drop (call $sleep (i32.const 1))))))`,
    parts: ['"culprit"', 'try_table', 'WASM_LEGACY_EXCEPTIONS'],
  },
  'a try_table beside a wait': {
    fields: `(tag $t) (func $never) (func $culprit (export "f") (result i32)
      (block $caught (try_table (catch_all $caught) (call $never)))
      (call $sleep (i32.const 1)))`,
    parts: ['"culprit"', 'try_table', 'WASM_LEGACY_EXCEPTIONS'],
  },
  'a reference in a local, alive across a wait': {
    fields: `(func $culprit (export "f") (param externref) (result externref) (local $kept externref)
      (local.set $kept (local.get 0)) (drop (call $sleep (i32.const 1))) (local.get $kept))`,
    parts: ['"culprit" keeps a reference', 'Keep it in a table'],
  },
  'a reference in a parameter, alive across a wait': {
    fields: `(func $culprit (export "f") (param externref) (result externref)
      (drop (call $sleep (i32.const 1))) (local.get 0))`,
    parts: ['"culprit" keeps a reference', 'Keep it in a table'],
  },
  'a reference on the operand stack, alive across a wait': {
    fields: `(func $use (param externref i32)) (func $get (result externref) (ref.null extern))
      (func $culprit (export "f") (call $use (call $get) (call $sleep (i32.const 1))))`,
    parts: ['"culprit" keeps a reference', 'Keep it in a table'],
  },
  'a reference that only blocks give, alive across a wait': {
    fields: `(type $box (struct (field i32)))
      (func $culprit (export "f") (result i32)
        (struct.get $box 0 (block $b (result (ref $box))
          (drop (br_if $b (struct.new $box (i32.const 1)) (call $sleep (i32.const 1))))
          (struct.new $box (i32.const 3)))))`,
    parts: ['"culprit" keeps a reference', 'Keep it in a table'],
  },
  'a call_ref that may wait': {
    fields: `(type $t (func (param i32) (result i32))) (elem declare func $sleep)
      (func $culprit (export "f") (result i32) (call_ref $t (i32.const 1) (ref.func $sleep)))`,
    parts: ['"culprit"', 'call_ref', 'call_indirect'],
  },
  'a parameter that cannot be null, of a function that waits': {
    fields: `(type $box (struct)) (func $culprit (param (ref $box)) (result i32) (call $sleep (i32.const 1)))
      (func (export "f") (result i32) (call $culprit (struct.new $box)))`,
    parts: ['"culprit"', 'cannot be null', 'nullable'],
  },
  'a result that cannot be null, of a function that waits': {
    fields: `(type $box (struct)) (func $culprit (export "f") (result (ref $box))
      (drop (call $sleep (i32.const 1))) (struct.new $box))`,
    parts: ['"culprit"', 'cannot be null', 'nullable'],
  },
  'a branch on a reference with a value, out of a block with a wait': {
    fields: `(type $box (struct (field i32)))
      (func $culprit (export "f") (result i32)
        (struct.get $box 0 (block $b (result (ref $box))
          (drop (call $sleep (i32.const 1)))
          (br_on_non_null $b (ref.null $box))
          (return (i32.const 3)))))`,
    parts: ['"culprit"', 'branch that tests a reference'],
  },
  'a branch on a reference beside an instruction whose operands are hidden': {
    fields: `(table 3 funcref)
      (func $culprit (export "f") (param funcref)
        (block $b (table.fill (call $sleep (i32.const 0)) (br_on_null $b (local.get 0)) (i32.const 1))))`,
    parts: ['"culprit"', 'branch that tests a reference'],
  },
};

describe.each(Object.entries(ONLY_JSPI))('%s', (_, { fields, parts }) => {
  const wasm = assembleText(`(module ${SLEEP} ${MEMORY} ${fields})`);

  test.each([true, false])('is refused by name, and with the way out (jumps: %s)', async (fastPath) => {
    await expectRefusal(wasm, 'UNSUPPORTED_FEATURE', [...parts, '--target jspi'], { fastPath });
  });

  test('is carried by engines that switch stacks themselves', async () => {
    const { wasm: written } = await instrument(wasm, { suspending: ['env.sleep'], target: 'jspi' });
    expect(WebAssembly.validate(Uint8Array.from(written))).toBe(WebAssembly.validate(wasm));
  });
});

describe('whatever rewrites it', () => {
  test.each([{ fastPath: true }, { fastPath: false }, { target: 'jspi' }] as const)(
    'a module that is instrumented already, a name that matches nothing: refused (%o)',
    async (way) => {
      for (const before of [{ fastPath: true }, { fastPath: false }, { target: 'jspi' }] as const) {
        const { wasm } = await instrument(PLAIN, { suspending: ['env.sleep'], ...before });
        await expectRefusal(wasm, 'ALREADY_INSTRUMENTED', ['by wasm-fibers', 'env.sleep'], way);
      }
      const names = ['env.slep matches no import', 'Did you mean "env.sleep"'];
      await expectRefusal(PLAIN, 'NO_MATCH', names, { ...way, suspending: ['env.slep'] });
      await expectRefusal(PLAIN, 'NO_MATCH', ['7'], { ...way, fiberGlobals: ['7'] });
    },
  );

  test.each([true, false])(
    'a name in a list of functions that matches nothing is refused (jumps: %s)',
    async (fastPath) => {
      for (const list of ['only', 'add', 'remove'] as const) {
        await expectRefusal(PLAIN, 'NO_MATCH', [`--${list} calller`, 'Did you mean "caller"'], {
          [list]: ['calller'],
          fastPath,
        });
      }
    },
  );

  test.each(['only', 'add', 'remove'] as const)('jspi has no use for the list %s, and says so', async (list) => {
    await expectRefusal(PLAIN, 'INVALID_OPTION', [`"${list}"`, 'jspi'], { [list]: ['caller'], target: 'jspi' });
  });

  test('calls in a try_table cannot be watched: jumps refuse it, and Binaryen watches it', async () => {
    const wasm = assembleText(`(module ${SLEEP} ${MEMORY} (tag $t) (func $left (export "f")
      (block $caught (try_table (catch_all $caught) (drop (call $sleep (i32.const 1)))))))`);
    await expectRefusal(wasm, 'UNSUPPORTED_FEATURE', ['"left"', 'cannot be watched', '--no-fast-path'], {
      remove: ['left'],
    });
    const { functions } = await instrument(wasm, { suspending: ['env.*'], remove: ['left'], fastPath: false });
    expect(functions.instrumented).toBe(0);
  });
});
