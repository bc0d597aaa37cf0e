/**
 * What code costs that never waits: Lua programs in the interpreter that the tests build (`node test/guests/build.mjs lua`),
 * as clang made it and instrumented for each backend. Errors of Lua pass through a host function, as in test/support/lua.ts.
 */
import { existsSync, readFileSync } from 'node:fs';
import { type BackendKind, type Guest, type Imports, instantiate, reentrant } from '../host/index.ts';
import type { Driver } from './driver.ts';

export interface Workload {
  readonly label: string;
  /** A Lua function of one argument, which it must return. */
  readonly code: string;
}

export const WORKLOADS: readonly Workload[] = [
  {
    label: 'calls: the Fibonacci numbers, recursively',
    code: `local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
      return function(x) fib(15) return x end`,
  },
  {
    label: 'a library that calls back: `table.sort` with a comparator',
    code: `return function(x)
        local t, seed = {}, 42
        for i = 1, 200 do seed = (seed * 1103515245 + 12345) % 2147483648; t[i] = seed end
        table.sort(t, function(a, b) return a < b end)
        return x
      end`,
  },
  {
    label: 'a loop with arithmetic',
    code: `return function(x) local sum = 0; for i = 1, 10000 do sum = sum + i * 3 % 7 end return x end`,
  },
  {
    label: 'strings',
    code: `return function(x)
        local t = {}
        for i = 1, 100 do t[#t + 1] = ("%d:%s"):format(i, ("ab"):rep(i % 10)) end
        local n = 0
        for word in table.concat(t, " "):gmatch("%d+") do n = n + #word end
        return x
      end`,
  },
];

const FILES = { source: 'lua', asyncify: 'lua.fibers', jspi: 'lua.jspi' } as const;
const fileOf = (build: keyof typeof FILES): URL => new URL(`../guests/${FILES[build]}.wasm`, import.meta.url);

/** Is there an interpreter to measure? */
export const hasLua = (): boolean =>
  (['source', 'asyncify', 'jspi'] as const).every((build) => existsSync(fileOf(build)));

interface Lua {
  _initialize(): void;
  lua_new(): number;
  lua_run(state: number, code: number, length: number): number;
  lua_result(state: number): number;
  lua_result_length(state: number): number;
  malloc(size: number): number;
  free(at: number): void;
  memory: WebAssembly.Memory;
  __indirect_function_table: WebAssembly.Table;
}

type Body = (state: number, data: number) => void;

interface Interpreter {
  readonly lua: Pick<Lua, 'malloc' | 'free' | 'lua_result' | 'lua_result_length'>;
  readonly memory: WebAssembly.Memory;
  readonly state: number;
  run(state: number, code: number, length: number): number | Promise<number>;
}

class Raise extends Error {
  override readonly name = 'Raise';
}

/** No file is there. */
const EBADF = 8;

/** `protectedCall` runs the body of a protected call, and gives 1 if Lua raised an error in it. */
function importsFor(
  module: WebAssembly.Module,
  protectedCall: (at: number, state: number, data: number) => number,
): Imports {
  const none = (): number => EBADF;
  const raise = (status: number): never => {
    throw new Raise(`Lua's error status ${status}`);
  };
  const imports: Record<string, Record<string, () => number>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = none;
  return { ...imports, env: { ...imports['env'], protected_call: protectedCall, raise } };
}

function caught(error: unknown): number {
  if (error instanceof Raise) return 1;
  throw error;
}

async function open(backend: BackendKind | null): Promise<Interpreter> {
  const module = new WebAssembly.Module(readFileSync(fileOf(backend ?? 'source')));
  return backend === null ? openSource(module) : openGuest(module, backend);
}

async function openSource(module: WebAssembly.Module): Promise<Interpreter> {
  const body = (at: number): Body => lua.__indirect_function_table.get(at) as Body;
  const imports = importsFor(module, (at, state, data) => {
    try {
      body(at)(state, data);
      return 0;
    } catch (error) {
      return caught(error);
    }
  });
  const { exports } = await WebAssembly.instantiate(module, imports as WebAssembly.Imports);
  const lua = exports as unknown as Lua;
  lua._initialize();
  return { lua, memory: lua.memory, state: lua.lua_new(), run: lua.lua_run };
}

async function openGuest(module: WebAssembly.Module, backend: BackendKind): Promise<Interpreter> {
  const body = (at: number): Body => guest.exports.__indirect_function_table.get(at) as Body;
  const protectedCall = reentrant(function* (call, at: number, state: number, data: number) {
    try {
      yield call(body(at), state, data);
      return 0;
    } catch (error) {
      return caught(error);
    }
  });
  const guest: Guest<Lua> = await instantiate<Lua>(module, importsFor(module, protectedCall), { backend });
  const { exports, sync: lua, memory } = guest;
  await exports._initialize();
  return { lua, memory, state: await exports.lua_new(), run: exports.lua_run };
}

/** Runs a chunk, whose result must be this. */
async function expectResult({ lua, memory, state, run }: Interpreter, code: string, wanted: string): Promise<void> {
  const source = new TextEncoder().encode(code);
  const at = lua.malloc(source.length);
  new Uint8Array(memory.buffer, at, source.length).set(source);
  await run(state, at, source.length);
  lua.free(at);
  const text = new TextDecoder().decode(
    new Uint8Array(memory.buffer, lua.lua_result(state), lua.lua_result_length(state)),
  );
  if (text !== wanted) throw new Error(`Lua: ${text}`);
}

/** @param backend null for the interpreter as it was compiled */
export function computing(backend: BackendKind | null): Driver {
  return {
    async compute(size) {
      const workload = WORKLOADS[size];
      if (workload === undefined) throw new Error(`there is no workload ${size}`);
      const interpreter = await open(backend);
      await expectResult(interpreter, `work = (function() ${workload.code} end)() return 'defined'`, 'defined');
      return (times) =>
        expectResult(
          interpreter,
          `local sum = 0 for i = 1, ${times} do sum = sum + work(1) end return sum`,
          String(times),
        );
    },
  };
}
