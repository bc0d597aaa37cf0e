/** The module `spectest`, which scripts may import from: made anew for every run, since what it exports can be changed. */
import type { Instance } from './instances.ts';

export function spectest(): Instance {
  const print = (): void => undefined;
  const table = (address: 'i32' | 'i64'): WebAssembly.ImportValue | undefined => {
    const size = (count: number): number => (address === 'i64' ? BigInt(count) : count) as number;
    // Newer than the declarations: tables with 64-bit addresses.
    const descriptor = { element: 'anyfunc', initial: size(10), maximum: size(20), address } as const;
    try {
      return new WebAssembly.Table(descriptor);
    } catch {
      return undefined;
    }
  };
  const exports: Record<string, unknown> = {
    print,
    print_i32: print,
    print_i64: print,
    print_f32: print,
    print_f64: print,
    print_i32_f32: print,
    print_f64_f64: print,
    global_i32: new WebAssembly.Global({ value: 'i32' }, 666),
    global_i64: new WebAssembly.Global({ value: 'i64' }, 666n),
    global_f32: new WebAssembly.Global({ value: 'f32' }, 666.6),
    global_f64: new WebAssembly.Global({ value: 'f64' }, 666.6),
    table: table('i32'),
    table64: table('i64'),
    memory: new WebAssembly.Memory({ initial: 1, maximum: 2 }),
  };
  return {
    exports: exports as WebAssembly.Exports,
    room: null,
    promised: () => null,
    call: () => Promise.reject(new Error('Nobody calls spectest.')),
    get: () => null,
  };
}
