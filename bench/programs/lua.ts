/** Lua 5.4, the interpreter that the tests have, with its own `sleep` as the function that waits. */
import { buildGuest } from './sources.ts';
import type { Program, Workload } from './program.ts';
import { noFiles } from './wasi.ts';

interface Exports {
  _initialize(): void;
  lua_new(): number;
  lua_run(state: number, code: number, length: number): number;
  lua_result(state: number): number;
  lua_result_length(state: number): number;
  malloc(size: number): number;
  free(at: number): void;
  __indirect_function_table: WebAssembly.Table;
}

interface Script extends Workload {
  /** How often the unit is done. */
  readonly units: number;
  /** A function of the unit's number, which gives an integer. */
  readonly code: string;
}

const SCRIPTS: readonly Script[] = [
  {
    name: 'fib',
    label: 'calls: the Fibonacci numbers, recursively',
    units: 60,
    code: `local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
      return function(i) return fib(19 + i % 2) end`,
  },
  {
    name: 'loop',
    label: 'a loop with arithmetic',
    units: 60,
    code: `return function(i)
        local sum = i
        for k = 1, 40000 do sum = (sum + k * 3) % 1048573 end
        return sum
      end`,
  },
  {
    name: 'sort',
    label: 'a library that calls back: `table.sort` with a comparator',
    units: 60,
    code: `return function(i)
        local t, seed = {}, 42 + i
        for k = 1, 800 do seed = (seed * 1103515245 + 12345) % 2147483648; t[k] = seed end
        table.sort(t, function(a, b) return a > b end)
        return t[400]
      end`,
  },
  {
    name: 'strings',
    label: 'strings: `format`, `rep`, `concat`, `gmatch`, `gsub`',
    units: 60,
    code: `return function(i)
        local t = {}
        for k = 1, 250 do t[#t + 1] = ("%d:%s"):format(k + i, ("ab"):rep(k % 10)) end
        local n, all = 0, table.concat(t, " ")
        for word in all:gmatch("%d+") do n = n + #word end
        return n + #all:gsub("b+", "xyz") + select(2, all:gsub("a", "%0%0"))
      end`,
  },
  {
    name: 'closures',
    label: 'closures, tables and methods',
    units: 60,
    code: `local Point = {}
      Point.__index = Point
      local function new(x, y) return setmetatable({ x = x, y = y }, Point) end
      function Point:add(other) return new(self.x + other.x, self.y + other.y) end
      local function counter() local n = 0; return function(k) n = n + k; return n end end
      return function(i)
        local p, step, count = new(0, 0), new(1, i), counter()
        for k = 1, 1500 do
          p = p:add(step)
          count(p.x % 7)
        end
        return p.x + p.y + count(0)
      end`,
  },
  {
    name: 'bodies',
    label: 'floating point: three bodies',
    units: 60,
    code: `return function(i)
        local b = { { 0, 0, 0, 0, 40 }, { 5, 0, 0, 2.5, 0.04 }, { 0, 9, 2, 0, 0.01 + i * 0.001 } }
        for step = 1, 500 do
          for p = 1, 3 do
            local a = b[p]
            for q = p + 1, 3 do
              local c = b[q]
              local dx, dy = a[1] - c[1], a[2] - c[2]
              local d = dx * dx + dy * dy + 0.01
              local f = 0.002 / (d * d ^ 0.5)
              a[3], a[4] = a[3] - dx * c[5] * f, a[4] - dy * c[5] * f
              c[3], c[4] = c[3] + dx * a[5] * f, c[4] + dy * a[5] * f
            end
          end
          for p = 1, 3 do local a = b[p]; a[1], a[2] = a[1] + a[3] * 0.002, a[2] + a[4] * 0.002 end
        end
        return math.floor((b[2][1] + b[3][2]) * 1000000)
      end`,
  },
];

const SETUP = `work = {}
${SCRIPTS.map(({ name, code }) => `work['${name}'] = (function() ${code} end)()`).join('\n')}
function run(name, units)
  local unit, sum = work[name], 0
  for i = 1, units do
    sleep(1)
    sum = (sum * 31 + unit(i)) % 2147483647
  end
  return sum
end
return 'ready'`;

/** An error of Lua on its way to the protected call that catches it. */
class Raise extends Error {
  override readonly name = 'Raise';
}

export const program: Program = {
  name: 'lua',
  title: 'Lua 5.4',
  suspending: ['env.http_get', 'env.sleep', 'env.protected_call'],
  allocate: 'malloc',
  workloads: SCRIPTS,
  provide: () => buildGuest('bench-lua'),
  async open(link, pause) {
    const { exports, sync, memory } = await link.instantiate<Exports>({
      env: {
        http_get: () => -1,
        response_length: () => 0,
        response_take: () => undefined,
        sleep: () => pause(0),
        protected_call: link.reentrant(function* (call, body: number, state: number, data: number) {
          const run = exports.__indirect_function_table.get(body) as (state: number, data: number) => void;
          try {
            yield call(run, state, data);
            return 0;
          } catch (error) {
            if (error instanceof Raise) return 1;
            throw error;
          }
        }),
        raise(status: number): never {
          throw new Raise(`Lua's error status ${status}`);
        },
      },
      wasi_snapshot_preview1: noFiles(),
    });
    await exports._initialize();
    const state = await exports.lua_new();
    const evaluate = async (code: string): Promise<string> => {
      const source = new TextEncoder().encode(code);
      const at = sync.malloc(source.length);
      new Uint8Array(memory.buffer, at, source.length).set(source);
      const status = await exports.lua_run(state, at, source.length);
      sync.free(at);
      const text = new Uint8Array(memory.buffer, sync.lua_result(state), sync.lua_result_length(state));
      const result = new TextDecoder().decode(text);
      if (status !== 0) throw new Error(`Lua: ${result}`);
      return result;
    };
    await evaluate(SETUP);
    return (workload) => {
      const units = SCRIPTS.find(({ name }) => name === workload)?.units ?? 0;
      return evaluate(`return run('${workload}', ${units})`);
    };
  },
};
