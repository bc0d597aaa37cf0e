/** Instrumented modules compute what the originals compute, with waits in between: real modules through the real engine. */
import { describe, expect, test } from 'vitest';
import { readOutline } from '../../host/instrument/binary/module.ts';
import { instrument } from '../../host/instrument/index.ts';
import type { InstrumentOptions, InstrumentResult } from '../../host/instrument/index.ts';
import { assemble, drive } from './instrument-driver.ts';

const later = (value: unknown) => (): Promise<unknown> => Promise.resolve(value);

describe.each([{ fastPath: true }, { fastPath: false }])('fast path: $fastPath', ({ fastPath }) => {
  const instrumentText = (wat: string, options: Partial<InstrumentOptions> = {}): Promise<InstrumentResult> =>
    instrument(assemble(wat), { suspending: ['env.*'], fastPath, ...options });

  const SUM = `(module
  (import "env" "sleep" (func $sleep (param i32) (result i64)))
  (memory (export "memory") 1)
  (func $f (export "f") (param $n i32) (result i64)
    (if (result i64) (i32.eqz (local.get $n))
      (then (call $sleep (i32.const 3)))
      (else (i64.add (i64.extend_i32_s (local.get $n)) (call $f (i32.sub (local.get $n) (i32.const 1))))))))`;

  describe('values', () => {
    test('an import suspends at any depth and its i64 arrives', async () => {
      const result = await instrumentText(SUM);
      const guest = await drive(result, { 'env.sleep': (n: number) => Promise.resolve(BigInt(n)) });
      for (const depth of [0, 1, 10, 500]) {
        expect(await guest.run('f', depth)).toBe(3n + BigInt((depth * (depth + 1)) / 2));
      }
      expect(guest.suspensions).toBe(4);
    });

    test('a plain value does not suspend', async () => {
      const guest = await drive(await instrumentText(SUM), { 'env.sleep': () => 7n });
      expect(await guest.run('f', 4)).toBe(17n);
      expect(guest.suspensions).toBe(0);
    });

    test.each([
      ['i32', 7],
      ['i64', 7n],
      ['f32', 1.5],
      ['f64', Number.NaN],
      ['f64', -0],
    ])('an %s result of %s arrives unchanged', async (type, value) => {
      const result = await instrumentText(`(module
      (import "env" "get" (func $get (result ${type})))
      (memory (export "memory") 1)
      (func (export "f") (result ${type}) (call $get)))`);
      const guest = await drive(result, { 'env.get': later(value) });
      expect(await guest.run('f')).toBe(value);
    });

    test('several results and locals of every number type survive a suspension', async () => {
      const result = await instrumentText(`(module
      (import "env" "two" (func $two (param i32) (result i32 i64)))
      (memory (export "memory") 1)
      (func (export "f") (param $a i32) (param $b i64) (param $c f32) (param $d f64) (result f64)
        (local $v v128) (local $x i32) (local $y i64)
        (local.set $v (i32x4.splat (i32.const 5)))
        (call $two (local.get $a)) (local.set $y) (local.set $x)
        (f64.add (f64.add (f64.promote_f32 (local.get $c)) (local.get $d))
          (f64.add (f64.convert_i64_s (i64.add (local.get $b) (local.get $y)))
            (f64.convert_i32_s (i32.add (local.get $x) (i32x4.extract_lane 2 (local.get $v))))))))`);
      const guest = await drive(result, { 'env.two': later([30, 400n]) });
      expect(await guest.run('f', 1, 2000n, 0.5, 10_000)).toBe(2000 + 0.5 + 10_000 + 400 + 30 + 5);
    });

    test('a value that a branch brings out of a block may be waited for', async () => {
      const result = await instrumentText(`(module
        (import "env" "sleep" (func $sleep (param i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "f") (param $x i32) (result i32)
          (i32.add (i32.const 1000)
            (block $a (result i32)
              (drop (br_if $a (call $sleep (i32.const 7)) (i32.eq (local.get $x) (i32.const 1))))
              (i32.add (i32.const 100)
                (block $b (result i32)
                  (block $c (result i32)
                    (br_table $a $b $c (call $sleep (i32.const 20)) (call $sleep (local.get $x))))))))))`);
      const guest = await drive(result, { 'env.sleep': (n: number) => Promise.resolve(n) });
      expect([await guest.run('f', 0), await guest.run('f', 1), await guest.run('f', 2)]).toEqual([1020, 1007, 1120]);
    });

    test('a loop that suspends at each turn keeps its state', async () => {
      const result = await instrumentText(`(module
      (import "env" "next" (func $next (param i32) (result i32)))
      (memory (export "memory") 1)
      (func (export "f") (param $n i32) (result i32) (local $sum i32)
        (loop $again
          (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 3)) (call $next (local.get $n))))
          (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $sum)))`);
      const guest = await drive(result, { 'env.next': (n: number) => Promise.resolve(n) });
      const plain = [5, 4, 3, 2, 1].reduce((sum, n) => sum * 3 + n, 0);
      expect(await guest.run('f', 5)).toBe(plain);
      expect(guest.suspensions).toBe(5);
    });

    test('calls through tables suspend', async () => {
      const result = await instrumentText(`(module
      (type $unary (func (param i32) (result i32)))
      (import "env" "sleep" (func $sleep (param i32) (result i32)))
      (memory (export "memory") 1)
      (table 2 2 funcref) (elem (i32.const 0) $add $sleepy)
      (func $add (type $unary) (i32.add (local.get 0) (i32.const 1)))
      (func $sleepy (type $unary) (i32.add (call $sleep (local.get 0)) (i32.const 100)))
      (func (export "f") (param $which i32) (param $x i32) (result i32)
        (i32.mul (i32.const 2) (call_indirect (type $unary) (local.get $x) (local.get $which)))))`);
      const guest = await drive(result, { 'env.sleep': (n: number) => Promise.resolve(n * 10) });
      expect(await guest.run('f', 0, 4)).toBe(10);
      expect(await guest.run('f', 1, 4)).toBe(280);
    });

    test('an operand of an instruction that Binaryen hides from passes may suspend', async () => {
      const result = await instrumentText(`(module
      (import "env" "sleep" (func $sleep (param i32) (result i32)))
      (memory (export "memory") 1) (table $t 8 funcref)
      (global $__stack_pointer (mut i32) (i32.const 4096))
      (func (export "malloc") (param i32) (result i32) (i32.const 8192)) (func (export "free") (param i32))
      (func $lower (param $by i32) (result i32)
        (global.set $__stack_pointer (i32.sub (global.get $__stack_pointer) (local.get $by)))
        (i32.const 1))
      (func $f (export "f") (result i32)
        (table.fill $t
          (block (result i32) (global.set $__stack_pointer (i32.sub (global.get $__stack_pointer) (i32.const 16))) (call $lower (i32.const 16)))
          (ref.func $f)
          (call $sleep (i32.const 3)))
        (i32.add
          (i32.add (ref.is_null (table.get $t (i32.const 0))) (i32.mul (i32.const 10) (ref.is_null (table.get $t (i32.const 1)))))
          (i32.mul (i32.const 100) (ref.is_null (table.get $t (i32.const 4)))))))`);
      const guest = await drive(result, { 'env.sleep': (n: number) => Promise.resolve(n) });
      expect(await guest.run('f')).toBe(101);
      guest.call('wasm-fibers.set_stack', 4000, 3990, 4000);
      expect(() => guest.call('f')).toThrow('SHADOW_STACK_OVERFLOW at 3984');
    });

    test('an import that is not listed is called as it is', async () => {
      const result = await instrumentText(
        `(module
      (import "env" "sleep" (func $sleep (result i32))) (import "log" "line" (func $line (param i32)))
      (memory (export "memory") 1)
      (func (export "f") (result i32) (call $line (i32.const 1)) (call $sleep) (call $line (i32.const 2))))`,
      );
      const lines: number[] = [];
      const guest = await drive(result, { 'env.sleep': later(9), 'log.line': (n: number) => void lines.push(n) });
      expect(await guest.run('f')).toBe(9);
      expect(lines).toEqual([1, 2]);
      expect(result.metadata.imports.map((each) => each.suspending)).toEqual([true, false]);
    });

    test.each([0, 1, 2, 3, 4] as const)('the result is the same at -O%i, -Os and -Oz', async (optimizeLevel) => {
      for (const shrinkLevel of [0, 1, 2] as const) {
        const result = await instrumentText(SUM, { optimizeLevel, shrinkLevel });
        const guest = await drive(result, { 'env.sleep': (n: number) => Promise.resolve(BigInt(n)) }, { window: 256 });
        expect(await guest.run('f', 300)).toBe(3n + 45_150n);
        expect(result.metadata.options).toMatchObject({ optimizeLevel, shrinkLevel });
      }
    });
  });

  describe('segments', () => {
    /** Frames small enough for the engine's own stack to be the only limit. */
    const DEEP = `(module
    (import "env" "sleep" (func $sleep (result i32)))
    (memory (export "memory") 1)
    (func $f (export "f") (param $n i32) (result i32)
      (if (result i32) (local.get $n)
        (then (i32.add (i32.const 1) (call $f (i32.sub (local.get $n) (i32.const 1)))))
        (else (call $sleep)))))`;

    test.each([
      ['the smallest possible window', (largest: number) => largest, 4000],
      ['a window of 64 bytes', () => 64, 4000],
      ['a window of 4 KB', () => 4096, 4000],
      ['a window of 1 MB', () => 1 << 20, 4000],
    ])('a stack deeper than the window unwinds in segments: %s', async (_, size, depth) => {
      const result = await instrumentText(DEEP);
      const window = size(result.metadata.largestFrame);
      const guest = await drive(result, { 'env.sleep': later(5) }, { window });
      for (let round = 0; round < 3; round++) expect(await guest.run('f', depth)).toBe(depth + 5);
      const frames = (depth + 1) * result.metadata.largestFrame;
      if (window < frames) expect(guest.drains).toBeGreaterThan(Math.floor((3 * frames) / (window + 16)) / 2);
      // Also where they fit, when they would take too much of the native stack at once.
      else if (fastPath) expect(guest.drains).toBeGreaterThan(0);
      else expect(guest.drains).toBe(0);
    });

    test('60,000 frames through a window of 4 KB and 12,000 through 64 bytes', async () => {
      // Deeper than the engine's default stack allows recursion to go: frames pile up in a worker with a larger one.
      const { Worker } = await import('node:worker_threads');
      const result = await instrumentText(DEEP);
      const outcome = await new Promise((resolve, reject) => {
        const worker = new Worker(DEEP_WORKER, {
          eval: true,
          workerData: { wasm: result.wasm, largest: result.metadata.largestFrame },
          resourceLimits: { stackSizeMb: 64 },
        });
        worker.once('message', resolve).once('error', reject);
      });
      expect(outcome).toEqual([60_005, 12_005]);
    });

    /** The driver's essence, as a script that a worker can evaluate. */
    const DEEP_WORKER = `
    const { parentPort, workerData } = require('node:worker_threads');
    const run = (depth, size) => {
      const segments = [];
      let memory, data, calls;
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(workerData.wasm), {
        env: { sleep() {
          if (exports.asyncify_get_state() === 2) { exports.asyncify_stop_rewind(); return 5; }
          exports.asyncify_start_unwind(data);
          return 0;
        } },
        'wasm-fibers': {
          drain(pos) { segments.push(new Uint8Array(memory.buffer).slice(data + 32, pos)); return data + 32; },
          refill() { const s = segments.pop(); new Uint8Array(memory.buffer).set(s, data + 32); return data + 32 + s.length; },
        },
      });
      memory = exports.memory;
      data = memory.grow(1) * 65536;
      new Int32Array(memory.buffer, data, 2).set([data + 32, data + 32 + Math.max(size, workerData.largest)]);
      exports.f(depth);
      exports.asyncify_stop_unwind();
      exports.asyncify_start_rewind(data);
      return exports.f(depth);
    };
    parentPort.postMessage([run(60000, 4096), run(12000, 64)]);`;

    test('what a host function reads while waiting is not overwritten: the window ends where it says', async () => {
      const result = await instrumentText(SUM);
      const guest = await drive(result, { 'env.sleep': later(1n) }, { window: 128 });
      const bytes = new Uint8Array(guest.memory.buffer);
      const end = 65_536 + 32 + 128;
      bytes.fill(0xa5, end, end + 4096);
      bytes.fill(0xa5, 0, 65_536);
      await guest.run('f', 1000);
      expect(bytes.subarray(end, end + 4096).every((byte) => byte === 0xa5)).toBe(true);
      expect(bytes.subarray(0, 65_536).every((byte) => byte === 0xa5)).toBe(true);
    });
  });

  describe('what the host needs', () => {
    test('the start function becomes an export and may suspend', async () => {
      const result = await instrumentText(`(module
      (import "env" "sleep" (func $sleep (result i32)))
      (memory (export "memory") 1)
      (global $ready (mut i32) (i32.const 0)) (export "ready" (global $ready))
      (func $main (global.set $ready (call $sleep)))
      (start $main))`);
      expect(result.metadata.start).toBe(true);
      const guest = await drive(result, { 'env.sleep': later(4) });
      const ready = guest.instance.exports['ready'] as WebAssembly.Global;
      expect(ready.value).toBe(0);
      await guest.run('wasm-fibers.start');
      expect(ready.value).toBe(4);
    });

    test('a module without a memory gets one, and a private memory an export', async () => {
      const without = `(module (import "env" "sleep" (func $sleep (result i32))) (func (export "f") (result i32) (call $sleep)))`;
      const hidden = without.replace('(func (export', '(memory $heap 1) (func (export');
      for (const wat of [without, hidden]) {
        const guest = await drive(await instrumentText(wat), { 'env.sleep': later(6) });
        expect(guest.instance.exports['wasm-fibers.memory']).toBeInstanceOf(WebAssembly.Memory);
        expect(await guest.run('f')).toBe(6);
      }
    });

    test('an imported memory stays imported and is not exported', async () => {
      const result = await instrumentText(`(module
      (import "env" "memory" (memory 1 10)) (import "env" "sleep" (func $sleep (result i32)))
      (func (export "f") (result i32) (call $sleep)))`);
      const module = new WebAssembly.Module(result.wasm as Uint8Array<ArrayBuffer>);
      expect(WebAssembly.Module.imports(module).filter((each) => each.kind === 'memory')).toHaveLength(1);
      expect(WebAssembly.Module.exports(module).filter((each) => each.kind === 'memory')).toHaveLength(0);
    });

    test('the section has the signature of every import and the hash of the source', async () => {
      const wasm = assemble(SUM);
      const { metadata } = await instrument(wasm, { suspending: ['env.sleep'] });
      expect(metadata.imports).toEqual([
        { module: 'env', name: 'sleep', params: ['i32'], results: ['i64'], suspending: true },
      ]);
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', wasm as Uint8Array<ArrayBuffer>));
      expect(metadata.source).toBe(Buffer.from(digest).toString('hex'));
      expect(metadata.largestFrame).toBeGreaterThan(0);
      expect(metadata.allocator).toEqual({ kind: 'grow' });
    });

    test('function names are kept, unless told otherwise', async () => {
      const names = async (options: Partial<InstrumentOptions>): Promise<string[]> => {
        const { wasm } = await instrumentText(SUM, options);
        return [...readOutline(wasm).names.functions.values()];
      };
      expect(await names({})).toContain('f');
      // The host knows by their names which frames are none of the guest's.
      for (const name of await names({ debugNames: false })) expect(name).toMatch(/^wasm-fibers\./);
    });

    test('each fiber global is exported', async () => {
      const result = await instrumentText(
        `(module (import "env" "sleep" (func $sleep)) (memory (export "memory") 1)
        (global $tls (mut i64) (i64.const 0)) (func (export "f") (global.set $tls (i64.const 8)) (call $sleep)))`,
        { fiberGlobals: ['tls'] },
      );
      expect(result.metadata.globals).toEqual(['wasm-fibers.global.tls']);
      const guest = await drive(result, { 'env.sleep': later(undefined) });
      await guest.run('f');
      expect((guest.instance.exports['wasm-fibers.global.tls'] as WebAssembly.Global).value).toBe(8n);
    });

    test('two calls at once do not disturb each other, and options of Binaryen are put back', async () => {
      const { default: binaryen } = await import('binaryen');
      binaryen.setOptimizeLevel(3);
      binaryen.setPassArgument('asyncify-imports', 'mine.*');
      try {
        const [a, b] = await Promise.all([instrumentText(SUM), instrumentText(SUM, { optimizeLevel: 0 })]);
        expect(a.metadata.options).toMatchObject({ optimizeLevel: 1 });
        expect(b.metadata.options).toMatchObject({ optimizeLevel: 0 });
        expect(binaryen.getOptimizeLevel()).toBe(3);
        expect(binaryen.getPassArgument('asyncify-imports')).toBe('mine.*');
      } finally {
        binaryen.setPassArgument('asyncify-imports', null);
      }
    });

    test('phases are reported in order', async () => {
      const phases: string[] = [];
      await instrumentText(SUM, { onProgress: (phase) => phases.push(phase) });
      expect(phases).toEqual(['reading', 'preparing', 'instrumenting', 'optimising', 'writing']);
    });

    test("another instance of Binaryen, such as asc's, may be brought", async () => {
      const { default: own } = await import('assemblyscript/binaryen');
      const guest = await drive(await instrumentText(SUM, { binaryen: own }), { 'env.sleep': later(1n) });
      expect(await guest.run('f', 3)).toBe(7n);
    });

    test('a module whose functions never reach the import is told so', async () => {
      const { warnings, functions } = await instrumentText(`(module
      (import "env" "sleep" (func $sleep)) (memory (export "memory") 1) (func (export "f") (result i32) (i32.const 1)))`);
      expect(functions).toEqual({ total: 1, instrumented: 0 });
      expect(warnings).toEqual([expect.stringContaining('never suspend')]);
    });
  });

  describe('shadow stack and allocator', () => {
    /** What clang makes of a function with a buffer on its stack. */
    const LLVM = `(module
    (import "env" "fill" (func $fill (param i32)))
    (memory (export "memory") 2)
    (global $__stack_pointer (mut i32) (i32.const 70000))
    (data (i32.const 1024) "static data")
    (func $malloc (export "malloc") (param i32) (result i32) (i32.const 100000))
    (func $free (export "free") (param i32))
    (func (export "f") (result i32) (local $frame i32)
      (global.set $__stack_pointer (local.tee $frame (i32.sub (global.get $__stack_pointer) (i32.const 16))))
      (call $fill (local.get $frame))
      (global.set $__stack_pointer (i32.add (local.get $frame) (i32.const 16)))
      (i32.load (local.get $frame)))
    (func (export "deep") (param $n i32)
      (global.set $__stack_pointer (i32.sub (global.get $__stack_pointer) (i32.const 16)))
      (if (local.get $n) (then (call $fill (i32.const 0))))
      (global.set $__stack_pointer (i32.add (global.get $__stack_pointer) (i32.const 16)))))`;

    test('the stack pointer can be read and set, and leaving its limits is reported', async () => {
      const result = await instrumentText(LLVM);
      expect(result.metadata.stack).toEqual({ kind: 'llvm', low: 1035 });
      expect(result.metadata.allocator).toEqual({ kind: 'exports', alloc: 'malloc', free: 'free' });
      const guest = await drive(result, {
        'env.fill': (at: number) => void new Int32Array(guest.memory.buffer).fill(42, at >> 2, (at >> 2) + 1),
      });
      expect(guest.call('wasm-fibers.get_stack')).toBe(70_000);
      expect(await guest.run('f')).toBe(42);
      guest.call('wasm-fibers.set_stack', 90_016, 90_000, 90_016);
      expect(guest.call('f')).toBe(42);
      expect(guest.call('wasm-fibers.get_stack')).toBe(90_016);
      guest.call('wasm-fibers.set_stack', 90_008, 90_000, 90_016);
      expect(() => guest.call('deep', 0)).toThrow('SHADOW_STACK_OVERFLOW at 89992');
    });

    test.each([
      ['by name, of another name', LLVM.replaceAll('$__stack_pointer', '$sp'), { stackPointer: 'sp' }],
      ['by index', LLVM.replaceAll('$__stack_pointer', '$sp'), { stackPointer: 0 }],
      ['by how it is used', LLVM.replaceAll('$__stack_pointer', '$sp').replace('70000', '70016'), {}],
    ])('the stack pointer is found %s', async (_, wat, options) => {
      const { metadata } = await instrument(assemble(wat), { suspending: ['env.*'], ...options });
      expect(metadata.stack?.kind).toBe('llvm');
    });

    test('the shadow stack can be denied', async () => {
      const { metadata, wasm } = await instrumentText(LLVM, { shadowStack: 'none' });
      expect(metadata.stack).toBeNull();
      const exported = WebAssembly.Module.exports(new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>));
      expect(exported.map((each) => each.name)).not.toContain('wasm-fibers.get_stack');
    });

    test('internal malloc and free are exported under names of ours', async () => {
      const wat = LLVM.replace('(export "malloc") ', '').replace('(export "free") ', '');
      const { metadata } = await instrumentText(wat);
      expect(metadata.allocator).toEqual({ kind: 'exports', alloc: 'wasm-fibers.malloc', free: 'wasm-fibers.free' });
    });

    test('malloc alone will do: a program that never frees is linked without free', async () => {
      const wat = LLVM.replace('(func $free (export "free") (param i32))', '');
      const result = await instrumentText(wat);
      const guest = await drive(result, {}, { window: 64 });
      expect(guest.call('wasm-fibers.malloc', 16)).toBe(100_000);
      expect(guest.call('wasm-fibers.free', 100_000)).toBeUndefined();
    });

    test('an allocator that takes an alignment is wrapped, and gets its own size back', async () => {
      const result = await instrument(
        assemble(`(module
        (import "env" "sleep" (func $sleep)) (import "log" "freed" (func $freed (param i32 i32 i32)))
        (memory (export "memory") 2)
        (func (export "__wbindgen_malloc") (param i32 i32) (result i32) (i32.const 80000))
        (func (export "__wbindgen_free") (param i32 i32 i32) (call $freed (local.get 0) (local.get 1) (local.get 2)))
        (func (export "f") (call $sleep)))`),
        { suspending: ['env.sleep'] },
      );
      const freed: number[][] = [];
      const guest = await drive(result, { 'log.freed': (...args: number[]) => void freed.push(args) }, { window: 64 });
      expect(guest.call('wasm-fibers.malloc', 100)).toBe(80_016);
      guest.call('wasm-fibers.free', 80_016);
      expect(freed).toEqual([[80_000, 116, 16]]);
    });
  });
});
