// Host of the Lua guest: Lua's errors are JavaScript exceptions that cross the interpreter's frames, and http_get is
// answered by the test.
import { type Guest, type Imports, instantiate, reentrant } from 'wasm-fibers';
import { watch } from './core.ts';
import { guestSource } from './guest.ts';
import { wasiStubs } from './wasi-stubs.ts';

export interface LuaExports {
  _initialize(): void;
  lua_new(): number;
  lua_free(state: number): void;
  lua_thread(state: number): number;
  lua_run(state: number, code: number, length: number): number;
  lua_result(state: number): number;
  lua_result_length(state: number): number;
  malloc(size: number): number;
  free(pointer: number): void;
  __indirect_function_table: WebAssembly.Table;
}

/** An error of Lua on its way to the protected call that catches it. What it is stands in the interpreter's state. */
class Raise extends Error {
  override readonly name = 'Raise';
}

export interface Lua {
  readonly guest: Guest<LuaExports>;
  /** What was printed. */
  readonly text: string;
  /** Runs a chunk in a state: Lua's status (0: fine), and the chunk's first result or the error as text. */
  run(state: number, code: string): Promise<{ status: number; result: string }>;
}

/**
 * @param get answers http_get: with the body, or by rejecting
 * @param sleep answers sleep
 */
export async function lua(
  get: (url: string) => Promise<string>,
  sleep: (milliseconds: number) => unknown = () => undefined,
): Promise<Lua> {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const bytes = (at: number, length: number): Uint8Array<ArrayBuffer> =>
    new Uint8Array(guest.memory.buffer as ArrayBuffer, at, length);
  const responses = new Map<number, Uint8Array<ArrayBuffer>>();
  let nextResponse = 1;
  const wasi = wasiStubs(() => guest.memory);
  const imports: Imports = {
    env: {
      async http_get(url: number, length: number): Promise<number> {
        try {
          const body = await get(decoder.decode(bytes(url, length).slice()));
          responses.set(nextResponse, encoder.encode(body));
          return nextResponse++;
        } catch {
          return -1;
        }
      },
      response_length: (response: number) => responses.get(response)?.length ?? 0,
      response_take(response: number, to: number): void {
        const body = responses.get(response) ?? new Uint8Array();
        responses.delete(response);
        bytes(to, body.length).set(body);
      },
      sleep,
      protected_call: reentrant(function* (call, body: number, state: number, data: number) {
        const run = guest.exports.__indirect_function_table.get(body) as (state: number, data: number) => void;
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
    wasi_snapshot_preview1: wasi.imports,
  };
  const guest: Guest<LuaExports> = watch(await instantiate<LuaExports>(guestSource('lua'), imports));
  await guest.exports._initialize();
  return {
    guest,
    get text() {
      return wasi.text;
    },
    async run(state, code) {
      const source = encoder.encode(code);
      const at = guest.sync.malloc(source.length);
      bytes(at, source.length).set(source);
      try {
        const status = await guest.exports.lua_run(state, at, source.length);
        const length = guest.sync.lua_result_length(state);
        return { status, result: decoder.decode(bytes(guest.sync.lua_result(state), length).slice()) };
      } finally {
        guest.sync.free(at);
      }
    },
  };
}
