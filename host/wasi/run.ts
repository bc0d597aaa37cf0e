/** A program from its module to its exit code. */
import { FiberError } from '../errors.ts';
import {
  type FiberEvent,
  type GuestOptions,
  type Imports,
  type Source,
  type SourcePair,
  instantiate,
} from '../index.ts';
import { type WasiOptions } from './options.ts';
import { type Wasi, wasi } from './program.ts';

/** Options of `run`. */
export interface RunOptions extends WasiOptions {
  /** What the program imports beside WASI, by module and name. */
  readonly imports?: Imports;
  /** Ends the program when aborted: it fails with `CANCELLED`. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the program is ended: it fails with `TIMEOUT`. */
  readonly timeout?: number;
  /** Options of `instantiate`. */
  readonly guest?: Omit<GuestOptions, 'signal'>;
}

/**
 * Runs a program that was compiled for WASI preview 1, whose calls may all wait: for input, for a reader of its output, for
 * files, for time to pass. When it has ended, in whatever way, everything that it had open is closed, and what it has
 * written is in the files.
 *
 * @param source the module: instrumented for the imports that `suspendingImports` names (or a pair of modules, see
 * `instantiate`); or as its compiler made it, on engines that have JSPI, or if nothing that it calls has to wait
 * @returns its exit code
 * @throws FiberError `CANCELLED`, `TIMEOUT`, `INVALID_OPTION`, `NO_SUCH_EXPORT` if it is no program, `MISSING_IMPORTS`; the
 * `WebAssembly.RuntimeError` of its trap; what a file system throws that cannot be opened
 * @example
 * const out = new TextOutput();
 * const exitCode = await run(new URL('sort.wasm', import.meta.url), {
 *   args: ['sort', '-r', 'names.txt'],
 *   files: { 'names.txt': 'Ada\nGrace\n' },
 *   stdout: out,
 *   timeout: 10_000,
 * });
 * console.log(exitCode, out.text);
 */
export async function run(
  source: Source | SourcePair | PromiseLike<Source>,
  options: RunOptions = {},
): Promise<number> {
  const { imports = {}, signal, timeout, guest: guestOptions = {}, ...rest } = options;
  const program = wasi(rest);
  try {
    await program.ready;
    const { onEvent } = guestOptions;
    const told = onEvent === undefined ? {} : { onEvent: withoutExits(program, onEvent) };
    const guest = await instantiate(source, { ...imports, ...program.imports }, { ...guestOptions, ...told });
    try {
      if (!('_start' in guest.exports)) {
        throw new FiberError(
          'NO_SUCH_EXPORT',
          'The module is no program: it exports no _start. Use a library by wasi(), instantiate and initialize.',
        );
      }
      const limits = { ...(signal !== undefined && { signal }), ...(timeout !== undefined && { timeout }) };
      return await program.start(guest, { name: rest.args?.[0] ?? 'program', ...limits });
    } finally {
      await guest.dispose();
    }
  } finally {
    await program.close();
  }
}

/** Where a program exits, its fibers end by a trap (see exit.ts). Whoever listens need not know: it has ended as it wished. */
function withoutExits(program: Wasi, listener: (event: FiberEvent) => void): (event: FiberEvent) => void {
  return (event) => {
    const exits = program.exitCode !== null && event.error instanceof WebAssembly.RuntimeError;
    if (!exits) listener(event);
    else if (event.type === 'end') listener({ type: 'end', fiber: event.fiber });
  };
}
