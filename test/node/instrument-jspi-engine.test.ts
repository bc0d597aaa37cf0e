/**
 * The target `jspi` on an engine that has JSPI: this Node if it is new enough, else the newest that test/nodes brings. Here
 * is what the engine must do with the modules; what the host does with them is the specification's.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { instrument } from '../../host/instrument/index.ts';
import type { InstrumentOptions } from '../../host/instrument/index.ts';
import { ROOT, run, temporaryFolder } from '../support/temporary.ts';
import { assemble } from './instrument-driver.ts';

const BROUGHT = path.join(ROOT, 'test/nodes/node_modules/node26/bin/node');
const engine = 'Suspending' in WebAssembly ? process.execPath : existsSync(BROUGHT) ? BROUGHT : null;
const hasEngine = engine !== null;

const LEVELS = [0, 1, 3] as const;

async function play(scenario: string, wat: string, options: Partial<InstrumentOptions> = {}): Promise<unknown> {
  const { wasm } = await instrument(assemble(wat), { suspending: ['env.*'], target: 'jspi', ...options });
  const file = path.join(await temporaryFolder(), 'guest.wasm');
  await writeFile(file, wasm);
  const script = fileURLToPath(new URL('./jspi-engine.mjs', import.meta.url));
  const { stdout, stderr } = await run(engine ?? '', [script, scenario, file], ROOT);
  expect(stderr).toBe('');
  return JSON.parse(stdout) as unknown;
}

const EVERYTHING = `(module
  (rec (type $point (struct (field i32))) (type $pair (func (param (ref $point)) (result i32 i64))))
  (type $waits (func (param i32) (result i32)))
  (import "env" "sleep" (func $sleep (type $waits)))
  (import "env" "object" (func $object (result (ref extern))))
  (import "env" "pair" (func $pair (type $pair)))
 (import "env" "struct" (func $struct (param i32) (result (ref $point))))
  (import "log" "is" (func $is (param externref) (result i32)))
  (table 1 funcref) (elem (i32.const 0) $sleep)
  (elem declare func $sleep $pair)
  (global $typed (ref $pair) (ref.func $pair))
  (table $filled 3 3 (ref $waits) (ref.func $sleep))
  (func $tail (export "tail") (type $waits) (return_call $sleep (local.get 0)))
  (func (export "tail_indirect") (type $waits) (return_call_indirect (type $waits) (local.get 0) (i32.const 0)))
  (func $deep_tail (export "deep_tail") (type $waits)
    (if (i32.eqz (local.get 0)) (then (return_call $sleep (i32.const 21))))
    (return_call $deep_tail (i32.sub (local.get 0) (i32.const 1))))
  (func (export "caught") (type $waits)
    (block $caught
      (try_table (catch_all $caught) (return (call $sleep (local.get 0)))))
    (i32.const 44))
  (func (export "held") (result i32) (local $object externref)
    (local.set $object (call $object))
    (drop (call $sleep (i32.const 1)))
    (call $is (local.get $object)))
  (func (export "by_reference") (type $waits) (call_ref $waits (local.get 0) (ref.func $sleep)))
  (func (export "structs") (result i32 i64) (local $point (ref null $point))
    (local.set $point (struct.new $point (i32.const 30)))
    (drop (call $sleep (struct.get $point 0 (local.get $point))))
    (call_ref $pair (ref.as_non_null (local.get $point)) (global.get $typed)))
  (func (export "filled") (type $waits) (call_indirect $filled (type $waits) (local.get 0) (i32.const 2)))
  (func (export "make") (param i32) (result (ref $point)) (struct.new $point (local.get 0)))
  (func (export "definite_struct") (type $waits) (struct.get $point 0 (call $struct (local.get 0))))
  (func (export "definite") (result externref) (call $object)))`;

/** One that keeps its number on the shadow stack while it waits. */
const FRAME = `(module
  (import "env" "sleep" (func $sleep (param i32) (result i32)))
  (import "log" "note" (func $note (param i32)))
  (memory (export "memory") 1)
  (global $__stack_pointer (mut i32) (i32.const 60000))
  (func (export "frame") (param i32) (result i32) (local $frame i32) (local $got i32)
    (global.set $__stack_pointer (local.tee $frame (i32.sub (global.get $__stack_pointer) (i32.const 16))))
    (i32.store (local.get $frame) (local.get 0))
    (local.set $got (call $sleep (local.get 0)))
    (call $note (i32.load (global.get $__stack_pointer)))
    (local.set $got (i32.add (local.get $got) (i32.load (local.get $frame))))
    (global.set $__stack_pointer (i32.add (local.get $frame) (i32.const 16)))
    (local.get $got)))`;

describe.skipIf(!hasEngine)('on an engine with JSPI', () => {
  test.each(LEVELS)(
    'what Asyncify refuses is carried: tail calls, try_table, references, call_ref (-O%i)',
    async (optimizeLevel) => {
      await expect(instrument(assemble(EVERYTHING), { suspending: ['env.*'] })).rejects.toMatchObject({
        code: 'UNSUPPORTED_FEATURE',
        message: expect.stringContaining('--target jspi'),
      });
      expect(await play('everything', EVERYTHING, { optimizeLevel })).toEqual({
        tail: 10,
        tailIndirect: 12,
        deepTail: 42,
        caught: [44, 8],
        uncaught: 'below zero: -1',
        held: 1,
        byReference: 6,
        filled: 8,
        structs: [7, '8n'],
        definite: [true, 5, 6],
      });
    },
  );

  test.each(LEVELS)(
    'the host is the first to run when a call goes on, so that its pointer is its own (-O%i)',
    async (optimizeLevel) => {
      expect(await play('concurrent', FRAME, { optimizeLevel })).toEqual({
        results: [202, 303, 101],
        log: ['arrive at sleep', 'note 2', 'arrive at sleep', 'note 3', 'arrive at sleep', 'note 1'],
      });
    },
  );

  test('a plain value costs no turn of the event loop, and is fit for a call that cannot wait', async () => {
    const wat = `(module (import "env" "sleep" (func $sleep (param i32) (result i32)))
      (func (export "tail") (param i32) (result i32) (call $sleep (local.get 0)))
      (func (export "many") (param i32) (result i32) (local i32)
        (loop $again
          (local.set 1 (call $sleep (local.get 1)))
          (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
        (local.get 1)))`;
    expect(await play('plain', wat)).toEqual({ direct: 5, many: 500, fewTurns: true });
  });

  test.each(LEVELS)(
    'no store to the stack pointer hides from the check, not even in a try_table (-O%i)',
    async (optimizeLevel) => {
      const wat = `(module (import "env" "sleep" (func $sleep (param i32) (result i32)))
      (memory (export "memory") 1) (global $__stack_pointer (mut i32) (i32.const 60000))
      (func (export "hidden") (param i32) (result i32) (local $frame i32)
        (block $caught
          (try_table (catch_all $caught)
            (global.set $__stack_pointer
              (local.tee $frame (i32.sub (global.get $__stack_pointer) (local.get 0))))
            (drop (call $sleep (local.get 0)))
            (global.set $__stack_pointer (i32.add (local.get $frame) (local.get 0)))
            (return (i32.const 1))))
        (i32.const 2)))`;
      // A host's error is an exception like any other to a guest that catches all.
      expect(await play('hidden', wat, { optimizeLevel })).toEqual({ fine: 1, overflow: 2 });
    },
  );

  test.each(LEVELS)(
    'results of an AssemblyScript guest are told before anything else runs (-O%i)',
    async (optimizeLevel) => {
      const wat = `(module (import "env" "sleep" (func $sleep (param i32) (result i32)))
      (memory (export "memory") 1) (global $~lib/memory/__stack_pointer (mut i32) (i32.const 4096))
      (func (export "__fibers_window") (param i32) (result i32) (i32.const 0))
      (func (export "__fibers_save") (result i32) (i32.const 0))
      (func (export "__fibers_restore") (param i32))
      (func (export "one") (param i32) (result i32) (i32.mul (call $sleep (local.get 0)) (i32.const 10))))`;
      expect(await play('entries', wat, { optimizeLevel, shadowStack: 'assemblyscript' })).toEqual({
        both: [10, 20],
        // The host has the first one wait twice.
        log: ['arrive at sleep', 'returned 20', 'arrive at sleep', 'returned 10'],
      });
    },
  );
});
