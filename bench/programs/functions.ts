/** Programs whose workloads are exports that take numbers: each is one call, which pauses by itself. */
import type { Program, Workload } from './program.ts';
import { buildGuest } from './sources.ts';
import { noFiles } from './wasi.ts';

interface Call extends Workload {
  readonly args: readonly number[];
}

interface Functions extends Pick<Program, 'name' | 'title' | 'allocate'> {
  /** Of BENCHED in test/guests/list.mjs. */
  readonly guest: string;
  readonly calls: readonly Call[];
  /** What must have been done before the others. */
  readonly first?: Call;
}

type Exports = Record<string, (...args: number[]) => number>;

function programOf({ name, title, allocate, guest, calls, first }: Functions): Program {
  return {
    name,
    title,
    suspending: ['env.pause'],
    allocate,
    workloads: calls,
    provide: () => buildGuest(guest),
    async open(link, pause) {
      const { exports } = await link.instantiate<Exports>({
        env: { pause: () => pause(0), abort: () => undefined },
        wasi_snapshot_preview1: noFiles(),
      });
      const run = async ({ name, args }: Call): Promise<string> => String(await exports[name]?.(...args));
      await exports['_initialize']?.();
      if (first !== undefined) await run(first);
      const named = new Map(calls.map((call) => [call.name, call]));
      return async (workload) => {
        const call = named.get(workload);
        return call === undefined ? '' : run(call);
      };
    },
  };
}

const PACK: Call = { name: 'pack', label: '`deflate`, waiting between its calls', args: [6, 32] };

export const zlib: Program = programOf({
  name: 'zlib',
  title: 'zlib',
  allocate: 'malloc',
  guest: 'bench-zlib',
  first: PACK,
  calls: [
    PACK,
    { name: 'unpack', label: '`inflateBack`, waiting inside of it', args: [12] },
    { name: 'check', label: 'check sums, which call nothing that waits', args: [30] },
  ],
});

export const calls: Program = programOf({
  name: 'calls',
  title: 'C, calls',
  allocate: 'malloc',
  guest: 'bench-calls',
  calls: [
    { name: 'recursion', label: 'the Fibonacci numbers, recursively', args: [35] },
    { name: 'callbacks', label: 'a tree, visited through a function pointer', args: [60] },
    { name: 'parser', label: 'a parser by recursive descent', args: [300] },
    { name: 'matrix', label: 'a matrix product that seldom waits', args: [60] },
  ],
});

export const assemblyscript: Program = programOf({
  name: 'assemblyscript',
  title: 'AssemblyScript',
  allocate: 'reserve',
  guest: 'bench-as',
  calls: [
    { name: 'objects', label: 'small objects', args: [60] },
    { name: 'strings', label: 'strings', args: [60] },
    { name: 'maps', label: 'a map of numbers', args: [120] },
    { name: 'sort', label: '`sort` with a comparator', args: [60] },
    { name: 'json', label: 'a parser of JSON', args: [40] },
  ],
});
