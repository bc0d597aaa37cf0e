/**
 * The guest of the benchmarks, in several builds of the same text: as it is (for raw JSPI and for calls without wrapping),
 * with Binaryen's Asyncify alone (for asyncify-wasm), instrumented by this package for each backend, and with the smallest
 * shims for JSPI that do anything (floors.ts). All are optimised at -O3, and nothing lies below address 1024, where
 * asyncify-wasm unwinds to. Besides, the same loop in C and in AssemblyScript, with something on the shadow stack: a
 * buffer, a string.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import binaryen from 'binaryen';
import { instrument } from '../host/instrument/index.ts';
import type { Build } from './driver.ts';
import { SHIMS } from './floors.ts';
import { buildTasksGuest } from './tasks-guest.ts';
import { buildValuesGuests } from './values-guest.ts';

/** Where the builds lie; drivers read them from there. */
export const GUESTS: URL = new URL('../guests/bench/', import.meta.url);

const WAIT = '(import "env" "wait" (func $wait (param i32) (result i32)))';

const textWith = (wait: string): string => `(module
  (import "env" "note" (func $note (param i32) (result i32)))
  ${wait}
  (memory (export "memory") 1)
  (func (export "same") (param i32) (result i32)
    (local.get 0))
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

const C = `
__attribute__((import_module("env"), import_name("wait"))) int wait(int x);
__attribute__((export_name("loop"))) int loop(int n) {
  volatile char buffer[64];
  int sum = 0;
  for (int i = 0; i < n; i++) {
    buffer[i & 63] = (char)i;
    sum += wait(i) + buffer[i & 63];
  }
  return sum;
}`;

const ASSEMBLYSCRIPT = `
@external("env", "wait") declare function wait(x: i32): i32;
export function loop(n: i32): i32 {
  const text = n.toString();
  let sum = 0;
  for (let i = 0; i < n; i++) sum += wait(i) + text.length;
  return sum;
}`;

/**
 * Writes every `Build`, and tasks.wasm and values.wasm.
 *
 * @returns what could not be built, and what to do about it
 */
export async function buildGuests(): Promise<string[]> {
  mkdirSync(GUESTS, { recursive: true });
  const plain = optimised(WAIT, []);
  write('plain', plain);
  write('asyncify', optimised(WAIT, ['asyncify']));
  for (const floor of ['floor-shared', 'floor-own', 'floor-guess'] as const) write(floor, optimised(SHIMS[floor], []));
  const options = { suspending: ['env.wait'], allocator: 'memory.grow' } as const;
  write('fibers', (await instrument(plain, { ...options, optimizeLevel: 3 })).wasm);
  write('jspi', (await instrument(plain, { ...options, target: 'jspi' })).wasm);
  const assembly = fileURLToPath(new URL('../../assembly/fibers.ts', import.meta.url));
  const asc = fileURLToPath(new URL('../../node_modules/assemblyscript/bin/asc.js', import.meta.url));
  await compile('assemblyscript', 'ts', ASSEMBLYSCRIPT, process.execPath, [asc, assembly, '-O3', '--outFile']);
  await buildTasksGuest();
  await buildValuesGuests();
  const flags = ['--target=wasm32', '-O3', '-nostdlib', '-Wl,--no-entry', '-o'];
  const hasC = await compile('c', 'c', C, 'clang', flags);
  return hasC ? [] : ['C guest: install clang and lld'];
}

/** False if there is no such compiler. */
async function compile(
  name: 'c' | 'assemblyscript',
  extension: string,
  text: string,
  compiler: string,
  flags: string[],
): Promise<boolean> {
  const source = fileURLToPath(new URL(`${name}.${extension}`, GUESTS));
  const target = fileURLToPath(new URL(`${name}-plain.wasm`, GUESTS));
  for (const build of [`${name}-plain`, name, `${name}-jspi`]) {
    rmSync(fileURLToPath(new URL(`${build}.wasm`, GUESTS)), { force: true });
  }
  writeFileSync(source, text);
  try {
    // There asc finds no asconfig.json of ours.
    execFileSync(compiler, [...flags, target, source], { stdio: 'inherit', cwd: fileURLToPath(GUESTS) });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
  const options = { suspending: ['env.wait'], allocator: name === 'c' ? 'memory.grow' : 'auto' } as const;
  write(name, (await instrument(readFileSync(target), { ...options, optimizeLevel: 3 })).wasm);
  write(`${name}-jspi`, (await instrument(readFileSync(target), { ...options, target: 'jspi' })).wasm);
  return true;
}

function optimised(wait: string, passes: string[]): Uint8Array {
  const module = binaryen.parseText(textWith(wait));
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

function write(name: Build, bytes: Uint8Array): void {
  writeFileSync(fileURLToPath(new URL(`${name}.wasm`, GUESTS)), bytes);
}
