/**
 * The guest of the benchmarks, in three builds of the same text: as it is (for raw JSPI and for calls without wrapping),
 * with Binaryen's Asyncify alone (for asyncify-wasm), and instrumented by this package. All are optimised at -O3, and
 * nothing lies below address 1024, where asyncify-wasm unwinds to.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import binaryen from 'binaryen';
import { instrument } from '../host/instrument/index.ts';

/** Where the builds lie; drivers read them from there. */
export const GUESTS: URL = new URL('../guests/bench/', import.meta.url);

const TEXT = `(module
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (import "env" "note" (func $note (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "once") (param i32) (result i32)
    (call $wait (local.get 0)))
  (func (export "loop") (param $n i32) (result i32) (local $sum i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $sum (i32.add (local.get $sum) (call $wait (local.get $n))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $next)))
    (local.get $sum))
  (func $deep (param $depth i32) (param $x i32) (result i32)
    (if (result i32) (local.get $depth)
      (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get $depth) (i32.const 1)) (local.get $x))))
      (else (call $wait (local.get $x)))))
  (func (export "loop_deep") (param $n i32) (param $depth i32) (result i32) (local $sum i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $sum (i32.add (local.get $sum) (call $deep (local.get $depth) (local.get $n))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $next)))
    (local.get $sum))
  (func (export "notes") (param $n i32) (result i32) (local $sum i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $sum (i32.add (local.get $sum) (call $note (local.get $n))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $next)))
    (local.get $sum)))`;

/** Writes plain.wasm, asyncify.wasm and fibers.wasm. */
export async function buildGuests(): Promise<void> {
  mkdirSync(GUESTS, { recursive: true });
  const plain = optimised([]);
  write('plain', plain);
  write('asyncify', optimised(['asyncify']));
  const { wasm } = await instrument(plain, { suspending: ['env.wait'], optimizeLevel: 3, allocator: 'memory.grow' });
  write('fibers', wasm);
}

function optimised(passes: string[]): Uint8Array {
  const module = binaryen.parseText(TEXT);
  binaryen.setOptimizeLevel(1);
  if (passes.length > 0) {
    binaryen.setPassArgument('asyncify-imports', 'env.wait');
    module.runPasses(passes);
    binaryen.setPassArgument('asyncify-imports', null);
  }
  binaryen.setOptimizeLevel(3);
  module.optimize();
  const bytes = module.emitBinary();
  module.dispose();
  return bytes;
}

function write(name: string, bytes: Uint8Array): void {
  writeFileSync(fileURLToPath(new URL(`${name}.wasm`, GUESTS)), bytes);
}
