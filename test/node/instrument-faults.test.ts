/**
 * Modules on which instrumentation once failed, most of them found by `npm run fuzz` and made small by hand: at every level, in
 * every way, they do what they do as they are, whichever import waits.
 */
import { describe, expect, test } from 'vitest';
import { instantiate } from '../../host/index.ts';
import { instrument } from '../../host/instrument/index.ts';
import { optionsOf, runCase } from '../proof/fuzz/case.ts';
import { OURS } from '../proof/fuzz/generate.ts';
import { refusal } from '../proof/outcome.ts';
import { ALL_LEVELS, possibleWays } from '../proof/variants.ts';
import type { Level, Way } from '../proof/variants.ts';
import { assembleText } from '../proof/wat.ts';

/** What each of them has: an import that may wait, and what a comparison needs. */
const FIELDS = `
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (memory (export "${OURS}memory") 16 16)
  (func (export "${OURS}alloc") (param i32) (result i32) (i32.const 0x8000))
  (func (export "${OURS}free") (param i32))`;

/** Calls a function of two parameters with all that are 0 or 1; what it returns shows in what the import is called with. */
const EVERY_PAIR = `(func (export "f") ${['0 0', '0 1', '1 0', '1 1']
  .map((pair) =>
    pair
      .split(' ')
      .map((each) => `(i32.const ${each})`)
      .join(' '),
  )
  .map((operands) => `(drop (call $wait (call $g ${operands})))`)
  .join(' ')})`;

const FAULTS: Readonly<Record<string, string>> = {
  'a function reference among the arguments of a call that may wait': `
    (elem declare func $taker)
    (func $taker (param f64 funcref) (result i32) (call $wait (i32.const 1)))
    (func (export "f") (result i32)
      (drop (call $taker (f64.const 1) (ref.func $taker)))
      (call $taker (f64.const 2) (ref.null func)))`,
  'a branch with a reference to a function out of a block that gives any reference': `
    (elem declare func $f)
    (table 1 funcref)
    (func $f (export "f") (param i32) (result i32)
      (table.set (i32.const 0)
        (block $out (result funcref)
          (drop (call $wait (i32.const 1)))
          (br_if $out (ref.func $f) (local.get 0))))
      (call $wait (ref.is_null (table.get (i32.const 0)))))`,
  'a branch with a value whose value is such a branch': `
    (func (export "f") (param i32 i32) (result i32)
      (block $out (result i32)
        (drop (call $wait (i32.const 1)))
        (br_if $out (br_if $out (i32.const 4) (local.get 0)) (local.get 1))))`,
  'a branch with a value whose value is a block that is branched to with one': `
    (func (export "f") (param i32 i32) (result i32)
      (block $out (result i32)
        (br_if $out
          (block $in (result i32) (drop (call $wait (i32.const 1))) (br_if $in (i32.const 4) (local.get 0)))
          (local.get 1))))`,
  'a branch with a value in the condition of another one to the same block': `
    (func $g (param i32 i32) (result i32)
      (block $out (result i32)
        (drop (br_if $out (i32.const 1) (call $wait (br_if $out (i32.const 2) (local.get 0)))))
        (br_if $out (i32.const 3) (br_if $out (i32.const 4) (local.get 1)))))
    ${EVERY_PAIR}`,
  'a branch with a value in the index of a table of branches to the same blocks': `
    (func $g (param i32 i32) (result i32)
      (block $far (result i32)
        (i32.add (i32.const 10)
          (block $near (result i32)
            (br_table $near $far (i32.const 1)
              (i32.add (call $wait (i32.const 0)) (br_if $near (i32.const 2) (i32.eq (local.get 0) (local.get 1)))))))))
    ${EVERY_PAIR}`,
  'calls that may wait where code never comes': `
    (func $g (param i32) (result i32)
      (unreachable)
      (call $wait (i32.const 1)))
    (func (export "f") (result i32) (drop (call $wait (i32.const 2))) (call $g (i32.const 3)))`,
  'an indirect call in a try_table, of a function that never waits': `
    (type $plain (func (result i64)))
    (table 1 funcref) (elem (i32.const 0) $never)
    (func $never (result i64) (i64.const 5))
    (func $g (export "g") (result i64)
      (block $caught (return (try_table (result i64) (catch_all $caught) (call_indirect (type $plain) (i32.const 0)))))
      (i64.const 6))
    (func (export "f") (result i64) (drop (call $wait (i32.const 2))) (call $g))`,
  'a value that is a reference that cannot be null, of an if in which code waits': `
    (type $box (struct (field i32)))
    (func $g (param i32) (result i32)
      (struct.get $box 0
        (if (result (ref $box)) (call $wait (local.get 0))
          (then (struct.new $box (i32.const 3)))
          (else (drop (call $wait (i32.const 1))) (struct.new $box (i32.const 4))))))
    (func (export "f") (result i32) (i32.add (call $g (i32.const 0)) (call $g (i32.const 1))))`,
  'a new reference handed to functions that may wait, which are given it again': `
    (type $box (struct (field i32)))
    (func $g (param (ref null $box)) (result i32) (call $wait (struct.get $box 0 (local.get 0))))
    (func $h (param (ref null $box) i32) (result i32) (i32.add (call $g (local.get 0)) (local.get 1)))
    (func (export "f") (result i32)
      (local $box (ref $box))
      (local.set $box (struct.new $box (i32.const 2)))
      (drop (call $g (local.get $box)))
      (drop (call $h (struct.new $box (i32.const 1)) (i32.const 1)))
      (call $g (struct.new $box (i32.const 3))))`,
  'a tail call through a reference, of a function that never waits': `
    (type $plain (func (param i64) (result i64)))
    (elem declare func $never)
    (func $never (type $plain) (i64.add (local.get 0) (i64.const 1)))
    (func $g (param i64) (result i64) (return_call_ref $plain (local.get 0) (ref.func $never)))
    (func (export "null") (result i64) (return_call_ref $plain (i64.const 1) (ref.null $plain)))
    (func (export "none") (result i64) (return_call_ref $plain (i64.const 1) (unreachable)))
    (func (export "f") (result i64) (drop (call $wait (i32.const 2))) (call $g (i64.const 7)))`,
  'a branch on a cast beside table.fill, in a function that never waits': `
    (type $box (struct (field i32)))
    (table 3 funcref)
    (func $g (param anyref) (result i32)
      (table.fill (i32.const 0) (ref.null func) (i32.const 1))
      (block $is (result (ref $box)) (drop (br_on_cast $is anyref (ref $box) (local.get 0))) (return (i32.const 2)))
      (struct.get $box 0))
    (func (export "f") (result i32)
      (drop (call $wait (i32.const 2)))
      (i32.add (call $g (struct.new $box (i32.const 8))) (call $g (ref.null any))))`,
};

const NOT_REFUSED: ReadonlySet<Way> = new Set(['jumps', 'jspi']);

describe.each(Object.entries(FAULTS))('%s', (_, fields) => {
  const wasm = assembleText(`(module ${FIELDS} ${fields})`);
  const combinations = possibleWays().flatMap((way) => ALL_LEVELS.map((level): [Way, Level] => [way, level]));
  test.each(combinations)('%s %s', async (way, level) => {
    const form = { level, way, debugNames: true, windowSize: 64, closedTables: false, metered: false, guests: 1 };
    const recipe = {
      input: new Uint8Array(),
      features: [],
      passes: [],
      showGlobals: false,
      names: true,
      exportTables: false,
      room: 0x8000,
    };
    if (!WebAssembly.validate(wasm)) {
      // This engine is too old to run it; Binaryen validates what it has written.
      const { functions } = await instrument(wasm, optionsOf(form, ['*'])).catch((error: unknown) => {
        expect([refusal(error), way]).toEqual([expect.any(String), 'asyncify']);
        return { functions: { instrumented: 1 } };
      });
      expect(functions.instrumented).toBeGreaterThan(0);
      return;
    }
    const chosen = { seed: 1, recipe, forms: [form], waiting: 1, suspending: null, tampering: false };
    const result = await runCase(chosen, wasm, () => {});
    // Binaryen's Asyncify cannot carry some of them, and says so.
    if (result.kind === 'skipped' && !NOT_REFUSED.has(way)) expect(result.why).toMatch(/^UNSUPPORTED_FEATURE/);
    else expect(result).toMatchObject({ kind: 'same', waits: expect.toSatisfy((waits: number) => waits > 0) });
  });
});

test('an export whose name begins with a byte order mark keeps it', async () => {
  const wasm = assembleText(`(module
    (import "env" "wait" (func $wait (param i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "") (result i32) (i32.const 1))
    (func (export "\ufeff") (result i32) (call $wait (i32.const 2))))`);
  for (const target of ['asyncify', 'jspi'] as const) {
    const { wasm: instrumented } = await instrument(wasm, { suspending: ['*'], target });
    const exports = WebAssembly.Module.exports(new WebAssembly.Module(Uint8Array.from(instrumented)));
    expect(exports.map(({ name }) => name)).toEqual(expect.arrayContaining(['', '\ufeff']));
  }
});

test.each([true, false])(
  'segments of a module without a memory are still there in the one it is given (jumps: %s)',
  async (fastPath) => {
    const wasm = assembleText(`(module
    (import "env" "wait" (func $wait (param i32) (result i32)))
    (data "abc")
    (func (export "f") (result i32) (data.drop 0) (call $wait (i32.const 3))))`);
    const { wasm: instrumented } = await instrument(wasm, { suspending: ['*'], optimizeLevel: 1, fastPath });
    const guest = await instantiate(Uint8Array.from(instrumented), { env: { wait: async (n: number) => n } });
    expect(await guest.exports['f']?.()).toBe(3);
  },
);
