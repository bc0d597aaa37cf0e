/** The target `jspi`: shims, entries, exports and the stack check, run on any engine with waits that are over at once. */
import { describe, expect, test } from 'vitest';
import { FiberError, inspect, instrument } from '../../host/instrument/index.ts';
import type { InstrumentOptions, InstrumentResult } from '../../host/instrument/index.ts';
import { Op, decodeBody } from '../../host/instrument/binary/code.ts';
import { functionImports, readOutline } from '../../host/instrument/binary/module.ts';
import { assemble } from './instrument-driver.ts';
import { Later, instantiateShimmed, later } from './jspi-driver.ts';

const forJspi = (wat: string, options: Partial<InstrumentOptions> = {}): Promise<InstrumentResult> =>
  instrument(assemble(wat), { suspending: ['env.*'], target: 'jspi', ...options });

const LEVELS = [
  { optimizeLevel: 0 },
  { optimizeLevel: 1 },
  { optimizeLevel: 3 },
  { optimizeLevel: 4 },
  { optimizeLevel: 2, shrinkLevel: 2 },
] as const;

const importNames = (wasm: Uint8Array): string[] =>
  functionImports(readOutline(wasm)).map((each) => `${each.module}.${each.name}`);
const exportNames = (wasm: Uint8Array): string[] => readOutline(wasm).exports.map((each) => each.name);

const SLEEP = `(module
  (import "env" "sleep" (func $sleep (param i32) (result i32)))
  (memory (export "memory") 1)
  (func $twice (export "twice") (param i32) (result i32)
    (i32.add (call $sleep (local.get 0)) (call $sleep (i32.const 1)))))`;

describe('a shim', () => {
  test.each(LEVELS)('calls the import, suspends, and lets the host hand over the value (%o)', async (level) => {
    const result = await forJspi(SLEEP, level);
    const guest = instantiateShimmed(result, { 'env.sleep': (n: number) => later(n * 10) });
    expect(guest.call('twice', 4)).toBe(50);
    expect(guest.log).toEqual(['env.sleep', 'suspend', 'arrive 1', 'env.sleep', 'suspend', 'arrive 2']);
  });

  test.each(LEVELS)('does nothing of that for a plain value, also after a wait (%o)', async (level) => {
    let waits = true;
    const guest = instantiateShimmed(await forJspi(SLEEP, level), {
      'env.sleep': (n: number) => {
        waits = !waits;
        return waits ? n : later(n);
      },
    });
    expect(guest.call('twice', 4)).toBe(5);
    expect(guest.log).toEqual(['env.sleep', 'suspend', 'arrive 1', 'env.sleep']);
  });

  test.each(LEVELS)('suspends again for as long as the host says that the wait is not over (%o)', async (level) => {
    const guest = instantiateShimmed(await forJspi(SLEEP, level), { 'env.sleep': (n: number) => later(n, n) });
    expect(guest.call('twice', 2)).toBe(3);
    const round = (token: number): string[] => ['suspend', `arrive ${token}`];
    expect(guest.log).toEqual(['env.sleep', ...[1, 2, 3].flatMap(round), 'env.sleep', ...[4, 5].flatMap(round)]);
  });

  test('hands every type of result through, waited for or not', async () => {
    const object = { name: 'anything' };
    const values = { i32: -7, i64: -(2n ** 63n), f32: 1.5, f64: -0, externref: object, funcref: null } as const;
    const types = Object.keys(values);
    const imports = types.map(
      (type) => `(import "env" "${type}" (func $${type} (param i64 ${type}) (result ${type})))`,
    );
    const functions = types.map(
      (type) =>
        `(func (export "${type}") (param ${type}) (result ${type}) (call $${type} (i64.const 1) (local.get 0)))`,
    );
    const result = await forJspi(`(module ${imports.join('')}
      (import "env" "none" (func $none (param i32)))
      (import "env" "several" (func $several (param i32) (result i32 f64 externref i64)))
      ${functions.join('')}
      (func $self (export "self") (result funcref) (ref.func $self))
      (func (export "none") (param i32) (call $none (local.get 0)))
      (func (export "several") (param i32) (result i32 f64 externref i64) (call $several (local.get 0))))`);
    const twice = (value: unknown): Later => later(value, 1);
    for (const [wrap, rounds] of [
      [later, 1],
      [twice, 2],
      [(value: unknown) => value, 0],
    ] as const) {
      const host = Object.fromEntries(types.map((type) => [`env.${type}`, (_: bigint, value: unknown) => wrap(value)]));
      const guest = instantiateShimmed(result, {
        ...host,
        'env.none': () => wrap(undefined),
        'env.several': (n: number) => wrap([n, 0.5, object, 9n]),
      });
      for (const [type, value] of Object.entries(values)) expect(guest.call(type, value)).toBe(value);
      const self = guest.call('self');
      expect(guest.call('funcref', self)).toBe(self);
      expect(guest.call('none', 3)).toBeUndefined();
      expect(guest.call('several', 3)).toEqual([3, 0.5, object, 9n]);
      expect(guest.log.filter((each) => each === 'suspend')).toHaveLength(9 * rounds);
    }
  });

  test('one arrive for each list of results, in the order of the imports', async () => {
    const result = await forJspi(`(module
      (import "env" "a" (func (param f64) (result i32))) (import "env" "b" (func)) (import "log" "c" (func (result f32)))
      (import "env" "d" (func (result i32))) (import "env" "e" (func (result i32 i32))))`);
    expect(importNames(result.wasm)).toEqual([
      'env.a',
      'env.b',
      'log.c',
      'env.d',
      'env.e',
      'wasm-fibers.suspend',
      'wasm-fibers.arrive.0',
      'wasm-fibers.arrive.1',
      'wasm-fibers.arrive.2',
    ]);
    const types = functionImports(readOutline(result.wasm)).slice(5);
    expect(types.map((each) => each.type)).toEqual([
      { params: [], results: [] },
      { params: ['i32'], results: ['i32'] },
      { params: ['i32'], results: [] },
      { params: ['i32'], results: ['i32', 'i32'] },
    ]);
  });

  test('an error of the host is thrown at the call that waited, and the guest can catch it', async () => {
    const guest = instantiateShimmed(
      await forJspi(`(module
        (import "env" "sleep" (func $sleep (param i32) (result i32)))
        (func (export "bare") (result i32) (call $sleep (i32.const 1)))
        (func (export "caught") (result i32)
          (try (result i32) (do (call $sleep (i32.const 1))) (catch_all (i32.const 44)))))`),
      { 'env.sleep': () => new Later({ error: new Error('refused') }) },
    );
    expect(() => guest.call('bare')).toThrow('refused');
    expect(guest.call('caught')).toBe(44);
    expect(() => guest.call('bare')).toThrow('refused');
  });

  test('stands wherever the import stood: table, reference, global, export, tail call, start', async () => {
    const result = await forJspi(`(module
      (type $waits (func (param i32) (result i32)))
      (import "env" "first" (func $first))
      (import "env" "sleep" (func $sleep (type $waits)))
      (import "log" "other" (func $other (type $waits)))
      (table $t (export "table") 6 funcref)
      (elem (i32.const 0) $own $sleep $other)
      (elem (i32.const 3) funcref (ref.func $sleep) (ref.func $own))
      (elem $passive func $sleep)
      (table $second (export "second") 4 funcref)
      (elem (table $second) (i32.const 0) func $own $sleep)
      (elem (table $second) (i32.const 2) funcref (ref.func $own) (ref.func $sleep))
      (elem $typed funcref (ref.func $sleep))
      (elem declare func $sleep)
      (global $g (export "global") funcref (ref.func $sleep))
      (export "sleep" (func $sleep))
      (start $first)
      (func $own (type $waits) (i32.const 100))
      (func (export "fill")
        (table.init $passive (i32.const 4) (i32.const 0) (i32.const 1))
        (table.set (i32.const 5) (ref.func $sleep)))
      (func (export "indirect") (param i32) (result i32) (call_indirect (type $waits) (i32.const 5) (local.get 0)))
      (func (export "tail") (param i32) (result i32) (return_call $sleep (local.get 0)))
      (func (export "tail-indirect") (param i32) (result i32)
        (return_call_indirect (type $waits) (i32.const 6) (local.get 0))))`);
    const guest = instantiateShimmed(result, {
      'env.sleep': (n: number) => later(n),
      'env.first': () => later(undefined),
    });
    expect(guest.log).toEqual([]);
    guest.call('wasm-fibers.start');
    guest.call('fill');
    expect(guest.log.splice(0)).toEqual(['env.first', 'suspend', 'arrive 1']);
    expect(guest.call('indirect', 0)).toBe(100);
    expect(guest.call('indirect', 2)).toBe(0);
    expect(guest.log.splice(0)).toEqual(['log.other']);
    const table = guest.instance.exports['table'] as WebAssembly.Table;
    const global = guest.instance.exports['global'] as WebAssembly.Global;
    const waits = [1, 3, 4, 5].map((index) => () => guest.call('indirect', index));
    const second = guest.instance.exports['second'] as WebAssembly.Table;
    expect([second.get(0)(), second.get(2)()]).toEqual([100, 100]);
    const everywhere = [table.get(1), second.get(1), second.get(3), global.value, guest.instance.exports['sleep']];
    const references = everywhere.map((each: (n: number) => number) => () => each(5));
    for (const work of [...waits, ...references, () => guest.call('tail', 5), () => guest.call('tail-indirect', 1)]) {
      expect([5, 6]).toContain(work());
      expect(guest.log.splice(0)).toEqual(['env.sleep', 'suspend', expect.stringMatching(/^arrive/)]);
    }
  });

  test.each(LEVELS)('stays out of line, and alone calls the import and suspends (%o)', async (level) => {
    const callers = Array.from(
      { length: 4 },
      (_, index) => `(func (export "f${index}") (result i32) (call $sleep (i32.const ${index})))`,
    );
    const { wasm } = await forJspi(SLEEP.replace(/\)$/, `${callers.join('')})`), level);
    const outline = readOutline(wasm);
    const names = importNames(wasm);
    const callersOf = (name: string): number =>
      outline.bodies.filter(({ start, end }) => {
        let calls = false;
        decodeBody(wasm, start, end, ({ opcode, immediate }) => {
          calls ||= (opcode === Op.Call || opcode === Op.ReturnCall) && names[immediate] === name;
        });
        return calls;
      }).length;
    expect(['env.sleep', 'wasm-fibers.suspend', 'wasm-fibers.arrive.0'].map(callersOf)).toEqual([1, 1, 1]);
  });

  test.each(LEVELS)(
    'is the innermost frame of the guest at a wait, also where it has one caller (%o)',
    async (level) => {
      const wat = SLEEP.replace('(call $sleep (i32.const 1))', '(i32.const 0)');
      const innermost = (): string | undefined => /at (\S+) \(wasm:/.exec(new Error('where').stack ?? '')?.[1];
      const seen: unknown[] = [];
      const host = { 'env.sleep': () => (seen.push(innermost()), later(1)) };
      expect(instantiateShimmed(await forJspi(wat, level), host).call('twice', 0)).toBe(1);
      expect(seen).toEqual(['wasm-fibers.shim.env.sleep']);
    },
  );

  test('exported imports that do not suspend stay what they are', async () => {
    const result = await forJspi(
      '(module (import "env" "sleep" (func $sleep)) (import "log" "f" (func $f (result i32))) (export "f" (func $f)))',
      { suspending: ['env.sleep'] },
    );
    const guest = instantiateShimmed(result, { 'log.f': () => 3 });
    expect(guest.call('f')).toBe(3);
  });

  test('the same import twice has two shims that do the same', async () => {
    for (const level of LEVELS) {
      const result = await forJspi(
        `(module (import "env" "get" (func $a (result i32))) (import "env" "get" (func $b (result i32)))
          (func (export "f") (result i32) (i32.sub (call $a) (call $b))))`,
        level,
      );
      let count = 0;
      const guest = instantiateShimmed(result, { 'env.get': () => later((count += 5)) });
      expect(guest.call('f')).toBe(-5);
    }
  });

  test('a module without any suspending import, or none that is called, is fine', async () => {
    const result = await forJspi(
      '(module (import "env" "sleep" (func $sleep)) (func (export "f") (result i32) (i32.const 1)))',
    );
    expect(result.warnings).toEqual([expect.stringContaining('never suspend')]);
    expect(result.functions).toEqual({ total: 1, instrumented: 0 });
    expect(instantiateShimmed(result).call('f')).toBe(1);
  });
});

describe('code', () => {
  const OF_ALL_KINDS = `(module
    (type $unary (func (param i32) (result i32)))
    (import "env" "sleep" (func $sleep (type $unary)))
    (memory (export "memory") 1) (table 2 funcref) (elem (i32.const 0) $loop $sleep)
    (data $d "abc")
    (func $loop (export "loop") (type $unary) (local i64 i64 f32 v128 i32)
      (local.set 1 (i64.const -9223372036854775808))
      (block $out (loop $again
        (br_table $out $again $out (call $loop (i32.const 128)))))
      (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))
      (local.set 4 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (local.get 4) (v128.const i32x4 1 2 3 4)))
      (if (result i32) (call_indirect (type $unary) (call $sleep (i32.const -1)) (i32.const 1))
        (then (i32.load offset=1024 align=1 (local.get 0)))
        (else (i32.trunc_sat_f64_s (f64.const nan))))))`;

  /** Opcodes and first immediates, with the functions that calls mean as they were. */
  const codeOf = (wasm: Uint8Array, body: number, original: (index: number) => number): string[] => {
    const { bodies } = readOutline(wasm);
    const { start = 0, end = 0 } = bodies[body] ?? {};
    const code: string[] = [];
    decodeBody(wasm, start, end, ({ opcode, immediate }) => {
      code.push(`${opcode} ${opcode === Op.Call || opcode === Op.RefFunc ? original(immediate) : immediate}`);
    });
    return code;
  };

  test('stays as it is but for the indices of functions', async () => {
    const wasm = assemble(OF_ALL_KINDS);
    const result = await instrument(wasm, { suspending: ['env.*'], target: 'jspi' });
    expect(WebAssembly.validate(result.wasm as Uint8Array<ArrayBuffer>)).toBe(true);
    const outline = readOutline(result.wasm);
    const names = outline.names.functions;
    const original = (index: number): number =>
      ({ loop: 1, 'wasm-fibers.shim.env.sleep': 0 })[names.get(index) ?? ''] ?? -1;
    expect(codeOf(result.wasm, 0, original)).toEqual(codeOf(wasm, 0, (index) => index));
    expect(result.size.after - result.size.before).toBeLessThan(700);
  });

  test('takes indices of any width, and more functions than fit into one byte', async () => {
    const functions = Array.from(
      { length: 300 },
      (_, index) =>
        `(func $f${index} (export "f${index}") (result i32) (i32.add (i32.const 1) (call ${index === 299 ? '$sleep' : `$f${index + 1}`})))`,
    );
    const wat = `(module (import "env" "sleep" (func $sleep (result i32))) (memory 1) ${functions.join('')})`;
    const guest = instantiateShimmed(await forJspi(wat), { 'env.sleep': () => later(1000) });
    expect(guest.call('f0')).toBe(1300);
    expect(guest.call('f299')).toBe(1001);
  });

  test('needs no Binaryen, unless optimisation is asked for', async () => {
    const binaryen = new Proxy(
      {},
      {
        get: (): never => {
          throw new Error('Binaryen was used');
        },
      },
    );
    const { size } = await forJspi(SLEEP, { binaryen });
    expect(size.after).toBeGreaterThan(size.before);
    await expect(forJspi(SLEEP, { binaryen, optimizeLevel: 1 })).rejects.toThrow('Binaryen was used');
  });

  const DAMAGE: readonly (readonly [what: string, damage: (bytes: Uint8Array, at: number) => Uint8Array])[] = [
    ['every truncation', (bytes, at) => bytes.slice(0, at)],
    ...[1, 0x40, 0x80, 0xff].map(
      (flip) =>
        [
          `every byte xor ${flip}`,
          (bytes: Uint8Array, at: number) => bytes.map((each, index) => (index === at ? each ^ flip : each)),
        ] as const,
    ),
  ];
  test.each(DAMAGE)(
    '%s of a module is refused or instrumented, never a crash, and what was valid stays valid',
    async (_, damage) => {
      const wasm = assemble(OF_ALL_KINDS);
      let accepted = 0;
      for (let at = 8; at < wasm.length; at++) {
        const bytes = damage(wasm, at) as Uint8Array<ArrayBuffer>;
        const result = await instrument(bytes, { suspending: ['env.*'], target: 'jspi' }).catch((error: unknown) => {
          if (!(error instanceof FiberError)) throw error;
          // One that a valid module meets would be a fault of ours.
          expect(error.code).not.toBe('INTERNAL');
          return null;
        });
        if (result !== null) accepted += 1;
        if (WebAssembly.validate(bytes) && result !== null)
          expect(WebAssembly.validate(result.wasm as Uint8Array<ArrayBuffer>)).toBe(true);
      }
      expect(accepted).toBeLessThan(wasm.length);
    },
  );
});

describe('what the host needs', () => {
  test('a hidden memory gets an export, a module without one gets none', async () => {
    const hidden = await forJspi('(module (import "env" "sleep" (func)) (memory 1) (func (export "f")))');
    expect(exportNames(hidden.wasm)).toContain('wasm-fibers.memory');
    const without = await forJspi('(module (import "env" "sleep" (func)) (func (export "f")))');
    expect(exportNames(without.wasm)).toEqual(['f', 'wasm-fibers.set_pending']);
    expect(readOutline(without.wasm).memories).toEqual([]);
    const imported = await forJspi('(module (import "env" "memory" (memory 1)) (import "env" "sleep" (func)))');
    expect(exportNames(imported.wasm)).toEqual(['wasm-fibers.set_pending']);
  });

  test('the section says what it is, without what only Asyncify has', async () => {
    const { metadata } = await forJspi(SLEEP);
    expect(metadata).toEqual({
      version: 3,
      target: 'jspi',
      source: expect.stringMatching(/^[0-9a-f]{64}$/),
      imports: [{ module: 'env', name: 'sleep', params: ['i32'], results: ['i32'], suspending: true }],
      largestFrame: 0,
      stack: null,
      allocator: null,
      start: false,
      catchDepth: false,
      globals: [],
      metered: false,
      options: { optimizeLevel: 0, shrinkLevel: 0, suspending: ['env.*'] },
    });
    const { wasm } = await forJspi(SLEEP);
    expect(inspect(wasm)).toMatchObject({
      kind: 'instrumented',
      metadata: { target: 'jspi' },
      needs: [expect.stringContaining('JSPI')],
      allocator: 'none needed',
    });
    expect(inspect(assemble(SLEEP)).needs).toEqual([]);
  });

  test('no allocator is asked for where nothing needs memory, and one is found where shadow stacks do', async () => {
    const wat = `(module (import "env" "sleep" (func $sleep)) (memory (export "memory") 1)
      (func (export "f") (drop (memory.grow (i32.const 1))) (call $sleep)))`;
    await expect(instrument(assemble(wat), { suspending: ['env.*'] })).rejects.toMatchObject({ code: 'NO_ALLOCATOR' });
    expect((await forJspi(wat)).metadata.allocator).toBeNull();
    const stack = '(global $__stack_pointer (mut i32) (i32.const 4096)) ';
    const { metadata, warnings } = await forJspi(wat.replace('(func (export', `${stack}(func (export`));
    expect(metadata).toMatchObject({ allocator: null, stack: { kind: 'llvm' } });
    expect(warnings).toEqual([expect.stringContaining('one at a time')]);
    await expect(forJspi(wat, { allocator: ['no', 'none'] })).rejects.toMatchObject({ code: 'NO_MATCH' });
  });

  test.each(LEVELS)('an allocator that is called differently is wrapped (%o)', async (level) => {
    const wrapped = async (
      functions: string,
    ): Promise<{ call: (name: string, ...args: unknown[]) => unknown; freed: number[][] }> => {
      const freed: number[][] = [];
      const result = await forJspi(
        `(module (import "env" "sleep" (func $sleep)) (import "log" "freed" (func $freed (param i32 i32 i32)))
          (memory (export "memory") 2) (global $__stack_pointer (mut i32) (i32.const 4096)) ${functions}
          (func (export "f") (call $sleep)))`,
        level,
      );
      const { call } = instantiateShimmed(result, { 'log.freed': (...args: number[]) => void freed.push(args) });
      expect(result.metadata.allocator).toMatchObject({ alloc: 'wasm-fibers.malloc', free: 'wasm-fibers.free' });
      return { call, freed };
    };
    const rust = await wrapped(`
      (func (export "__wbindgen_malloc") (param i32 i32) (result i32)
        (select (i32.const 80000) (i32.const 0) (i32.lt_u (local.get 0) (i32.const 1000))))
      (func (export "__wbindgen_free") (param i32 i32 i32) (call $freed (local.get 0) (local.get 1) (local.get 2)))`);
    expect(rust.call('wasm-fibers.malloc', 100)).toBe(80_016);
    expect(rust.call('wasm-fibers.malloc', 5000)).toBe(0);
    rust.call('wasm-fibers.free', 80_016);
    expect(rust.freed).toEqual([[80_000, 116, 16]]);
    const block = await wrapped(
      '(func (export "malloc") (param i32) (result i32) (i32.add (local.get 0) (i32.const 7)))',
    );
    expect(block.call('wasm-fibers.malloc', 100)).toBe(107);
    expect(block.call('wasm-fibers.free', 107)).toBeUndefined();
    const component = await wrapped(`(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
      (i32.or (i32.or (local.get 0) (local.get 1)) (i32.or (i32.shl (local.get 2) (i32.const 8)) (local.get 3))))`);
    expect(component.call('wasm-fibers.malloc', 100)).toBe(4096 + 100);
    const internal = await wrapped(
      '(func $malloc (param i32) (result i32) (i32.const 9)) (func $free (param i32) (call $freed (local.get 0) (i32.const 0) (i32.const 0)))',
    );
    expect(internal.call('wasm-fibers.malloc', 1)).toBe(9);
    internal.call('wasm-fibers.free', 9);
    expect(internal.freed).toEqual([[9, 0, 0]]);
  });

  test('each fiber global is exported', async () => {
    const result = await forJspi(
      `(module (import "env" "sleep" (func $sleep)) (global $tls (mut i64) (i64.const 0))
        (func (export "f") (global.set $tls (i64.const 8)) (call $sleep)))`,
      { fiberGlobals: ['tls'] },
    );
    expect(result.metadata.globals).toEqual(['wasm-fibers.global.tls']);
    const guest = instantiateShimmed(result);
    guest.call('f');
    expect((guest.instance.exports['wasm-fibers.global.tls'] as WebAssembly.Global).value).toBe(8n);
  });

  test('names of functions are kept, and those of what was added are told; or all are dropped', async () => {
    const named = readOutline((await forJspi(SLEEP)).wasm).names;
    const added = ['wasm-fibers.set_pending', 'wasm-fibers.shim.env.sleep'];
    const imported = ['wasm-fibers.suspend', 'wasm-fibers.arrive.0'];
    expect([...named.functions.values()]).toEqual(['sleep', ...imported, 'twice', ...added]);
    expect([...named.functions.keys()]).toEqual([0, 1, 2, 3, 4, 5]);
    expect([...named.globals.values()]).toEqual(['wasm-fibers.pending']);
    // The host knows by their names which frames are none of the guest's, whatever else has a name.
    for (const level of LEVELS) {
      const stripped = await forJspi(SLEEP, { ...level, debugNames: false });
      const nameless = await instrument(assemble(SLEEP, false), { suspending: ['env.*'], target: 'jspi', ...level });
      for (const { wasm } of [stripped, nameless]) {
        const own = [...readOutline(wasm).names.functions.values()];
        expect(own.toSorted()).toEqual([...imported, ...added].toSorted());
        const shim = [...readOutline(wasm).names.functions].find(([, name]) => name === added[1])?.[0] ?? 0;
        const { start = 0, end = 0 } = readOutline(wasm).bodies[shim - importNames(wasm).length] ?? {};
        const calls: string[] = [];
        decodeBody(wasm, start, end, ({ opcode, immediate }) => {
          if (opcode === Op.Call) calls.push(importNames(wasm)[immediate] ?? '');
        });
        expect(calls).toEqual(['env.sleep', ...imported]);
      }
    }
  });

  test('custom sections of others stay, those that would be wrong go', async () => {
    const section = (name: string): number[] => [0, name.length + 3, name.length, ...Buffer.from(name), 7, 7];
    const names = ['vendor', 'metadata.code.branch_hint', '.debug_line', 'build_id'];
    const wasm = Uint8Array.of(...assemble(SLEEP), ...names.flatMap(section));
    const result = await instrument(wasm, { suspending: ['env.*'], target: 'jspi' });
    const kept = readOutline(result.wasm)
      .sections.filter((each) => each.id === 0)
      .map((each) => each.name);
    expect(kept).toEqual(expect.arrayContaining(['vendor', 'name', 'wasm-fibers']));
    for (const name of names.slice(1)) expect(kept).not.toContain(name);
    expect(result.warnings).toEqual([expect.stringContaining('DWARF')]);
  });

  test('a malformed name section costs names and nothing else', async () => {
    const wasm = assemble(SLEEP, false);
    const broken = Uint8Array.of(...wasm, 0, 9, 4, ...Buffer.from('name'), 1, 50, 1, 1);
    const result = await instrument(broken, { suspending: ['env.*'], target: 'jspi' });
    expect(instantiateShimmed(result, { 'env.sleep': () => later(2) }).call('twice', 1)).toBe(4);
  });
});

describe('the shadow stack of LLVM', () => {
  const LLVM = `(module
    (import "env" "fill" (func $fill (param i32)))
    (memory (export "memory") 2)
    (global $__stack_pointer (mut i32) (i32.const 70000))
    (func (export "malloc") (param i32) (result i32) (i32.const 100000))
    (func (export "free") (param i32))
    (func (export "teed") (local $frame i32)
      (global.set $__stack_pointer (local.tee $frame (i32.sub (global.get $__stack_pointer) (i32.const 16))))
      (call $fill (local.get $frame))
      (global.set $__stack_pointer (i32.add (local.get $frame) (i32.const 16))))
    (func (export "gotten") (param i32) (global.set $__stack_pointer (local.get 0)))
    (func (export "computed") (param i32) (local f64 f64 i64)
      (global.set $__stack_pointer (i32.sub (global.get $__stack_pointer) (local.get 0)))
      (global.set $__stack_pointer (i32.add (global.get $__stack_pointer) (local.get 0))))
    (func (export "raise") (global.set $__stack_pointer (i32.add (global.get $__stack_pointer) (i32.const 16))))
    (func (export "lower") (global.set $__stack_pointer (i32.add (global.get $__stack_pointer) (i32.const -16))))
    (func (export "chosen") (param i32)
      (global.set $__stack_pointer (if (result i32) (local.get 0) (then (i32.const 5)) (else (i32.const 90000))))))`;

  test.each(LEVELS)('stores to the pointer are checked, but those that raise it (%o)', async (level) => {
    const result = await forJspi(LLVM, level);
    expect(result.metadata.stack).toMatchObject({ kind: 'llvm' });
    const filled: number[] = [];
    const guest = instantiateShimmed(result, { 'env.fill': (at: number) => later(void filled.push(at)) });
    const pointer = (): unknown => guest.call('wasm-fibers.get_stack');
    // Before the limits are set, anything goes.
    guest.call('computed', 5000);
    guest.call('gotten', 70_000);
    expect(pointer()).toBe(70_000);

    guest.call('wasm-fibers.set_stack', 90_032, 90_000, 90_032);
    guest.call('teed');
    expect(filled).toEqual([90_016]);
    guest.call('gotten', 90_000);
    expect(() => guest.call('teed')).toThrow('SHADOW_STACK_OVERFLOW at 89984');
    expect(pointer()).toBe(90_000);
    expect(() => guest.call('lower')).toThrow('SHADOW_STACK_OVERFLOW at 89984');
    guest.call('raise');
    guest.call('raise');
    // Above the region, with nothing said: an epilogue ends where its prologue began.
    guest.call('raise');
    expect(pointer()).toBe(90_048);
    expect(() => guest.call('gotten', 90_033)).toThrow('SHADOW_STACK_OVERFLOW at 90033');
    expect(() => guest.call('gotten', 89_999)).toThrow('SHADOW_STACK_OVERFLOW at 89999');
    expect(() => guest.call('computed', 64)).toThrow('SHADOW_STACK_OVERFLOW at 89984');
    expect(() => guest.call('chosen', 1)).toThrow('SHADOW_STACK_OVERFLOW at 5');
    guest.call('chosen', 0);
    expect(pointer()).toBe(90_000);
  });

  test('can be denied', async () => {
    const { metadata, wasm } = await forJspi(LLVM, { shadowStack: 'none' });
    expect(metadata.stack).toBeNull();
    expect(exportNames(wasm)).not.toContain('wasm-fibers.get_stack');
    expect(importNames(wasm)).not.toContain('wasm-fibers.stack_overflow');
  });
});

describe('entries of AssemblyScript', () => {
  const GUEST = `(module
    (import "env" "sleep" (func $sleep (result i32)))
    (memory (export "memory") 1)
    (global $~lib/memory/__stack_pointer (mut i32) (i32.const 4096))
    (func (export "__fibers_window") (param i32) (result i32) (i32.const 0))
    (func (export "__fibers_save") (result i32) (i32.const 0))
    (func (export "__fibers_restore") (param i32))
    (export "alias" (func $one))
    (export "again" (func $sleep))
    (func $one (export "one") (param i32 i64) (result i32) (i32.add (local.get 0) (call $sleep)))
    (func (export "none") (param f64))
    (func (export "several") (param i32) (result i32 i64 f64) (local.get 0) (i64.const 6) (f64.const 0.25))
    (func (export "fails") (result i32) (unreachable)))`;

  test.each(LEVELS)('give the results to the host before they return them (%o)', async (level) => {
    const result = await forJspi(GUEST, { ...level, shadowStack: 'assemblyscript' });
    expect(result.metadata.stack).toEqual({ kind: 'assemblyscript' });
    const entries = exportNames(result.wasm).filter((name) => name.startsWith('wasm-fibers.enter.'));
    expect(entries.map((name) => name.slice('wasm-fibers.enter.'.length))).toEqual(
      expect.arrayContaining(['alias', 'again', 'one', 'none', 'several', 'fails']),
    );
    expect(entries).toHaveLength(6);
    const guest = instantiateShimmed(result, { 'env.sleep': () => later(40) });
    expect(guest.call('wasm-fibers.enter.one', 2, 0n)).toBe(42);
    expect(guest.log.splice(0)).toEqual(['env.sleep', 'suspend', 'arrive 1', 'returned 42']);
    expect(guest.call('wasm-fibers.enter.alias', 3, 0n)).toBe(43);
    expect(guest.call('wasm-fibers.enter.again')).toBe(40);
    guest.log.length = 0;
    expect(guest.call('wasm-fibers.enter.none', 1)).toBeUndefined();
    expect(guest.call('wasm-fibers.enter.several', 5)).toEqual([5, 6n, 0.25]);
    expect(() => guest.call('wasm-fibers.enter.fails')).toThrow(WebAssembly.RuntimeError);
    expect(guest.log.splice(0)).toEqual(['returned ', 'returned 5,6,0.25']);
    expect(guest.call('one', 2, 0n)).toBe(42);
    expect(guest.log).not.toContain('returned 42');
    expect(guest.call('wasm-fibers.get_stack')).toBe(4096);
  });

  test('are of AssemblyScript only, and its guest part is asked for as ever', async () => {
    expect(exportNames((await forJspi(SLEEP)).wasm)).not.toContain('wasm-fibers.enter.twice');
    await expect(
      forJspi(GUEST.replace('(export "__fibers_save")', ''), { shadowStack: 'assemblyscript' }),
    ).rejects.toMatchObject({ code: 'MISSING_GUEST_PART' });
  });
});

describe('what is refused', () => {
  const SLEEPS = '(import "env" "sleep" (func $sleep (param i32) (result i32)))';

  test.each<[string, string, Partial<InstrumentOptions>]>([
    ['shared memory', `(module ${SLEEPS} (memory 1 2 shared))`, {}],
    ['memory64', `(module ${SLEEPS} (memory i64 1))`, {}],
    ['two memories', `(module ${SLEEPS} (memory 1) (memory 1))`, {}],
    ['a reserved import', `(module ${SLEEPS} (import "wasm-fibers" "suspend" (func)))`, {}],
    ['a reserved export', `(module ${SLEEPS} (func (export "wasm-fibers.set_pending")))`, {}],
    ['an export of Asyncify', `(module ${SLEEPS} (func (export "asyncify_get_state")))`, {}],
    ['no suspending imports', SLEEP, { suspending: [] }],
    ['a name that matches nothing', SLEEP, { suspending: ['env.slep'] }],
    ['a global that does not exist', SLEEP, { fiberGlobals: ['nothing'] }],
    ['a stack pointer that does not exist', SLEEP, { stackPointer: 'nothing' }],
    ['an allocator that does not exist', SLEEP, { allocator: ['a', 'b'] }],
    ['a source map that is none', SLEEP, { sourceMap: 'x' }],
    ['a level that is none', SLEEP, { optimizeLevel: 5 as 4 }],
  ])('as for asyncify, in the same words: %s', async (_, wat, options) => {
    const errorFor = async (target: 'asyncify' | 'jspi'): Promise<unknown> =>
      instrument(assemble(wat), { suspending: ['env.*'], ...options, target }).then(
        () => 'not refused',
        (error: unknown) => (error instanceof FiberError ? [error.code, error.message] : error),
      );
    const refused = await errorFor('jspi');
    expect(refused).toEqual(await errorFor('asyncify'));
    expect(refused).toBeInstanceOf(Array);
  });

  test.each<[Partial<InstrumentOptions>]>([
    [{ only: ['twice'] }],
    [{ add: ['twice'] }],
    [{ remove: ['twice'] }],
    [{ ignoreIndirect: true }],
  ])('options that mean nothing: %o', async (options) => {
    const [key = ''] = Object.keys(options);
    await expect(forJspi(SLEEP, options)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining(`"${key}"`),
    });
  });

  test('empty lists are as good as none', async () => {
    const { functions } = await forJspi(SLEEP, { only: [], add: [], remove: [], ignoreIndirect: false });
    expect(functions).toEqual({ total: 1, instrumented: 1 });
  });

  test('a target that does not exist', async () => {
    await expect(forJspi(SLEEP, { target: 'wasmfx' as 'jspi' })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: `The option "target" must be 'asyncify' or 'jspi', not "wasmfx".`,
    });
  });

  test.each(['asyncify', 'jspi'] as const)(
    'a module that is already instrumented for %s, for either target',
    async (target) => {
      const { wasm } = await instrument(assemble(SLEEP), { suspending: ['env.*'], target });
      for (const again of ['asyncify', 'jspi'] as const) {
        await expect(instrument(wasm, { suspending: ['env.*'], target: again })).rejects.toMatchObject({
          code: 'ALREADY_INSTRUMENTED',
          message: expect.stringContaining(`by wasm-fibers for the target ${target} (format 3; suspending: env.sleep)`),
        });
      }
    },
  );
});
