/** `wasm-fibers run`: a WASI program as a command of this machine, with its terminal, its directories and its exit code. */
import { stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { FiberError } from '../errors.ts';
import { stackSwitching } from '../backends/engine.ts';
import { checkMagic } from '../instrument/binary/module.ts';
import type { InstrumentOptions } from '../instrument/index.ts';
import { FiberRecorder } from '../observe/index.ts';
import { SECTION } from '../runtime/metadata.ts';
import { FileError, type FileSystem, run, suspendingImports } from '../wasi/index.ts';
import { hostDirectory } from '../wasi/node/index.ts';
import { Cache } from './cache.ts';
import type { RunFlags } from './commands/run.ts';
import { CliError } from './errors.ts';
import { codeOf, explain, ofFile, readInput, refusal } from './files.ts';
import { parseAllocator, runInThread } from './instrument.ts';
import { checkOutput, writeOutputs } from './output.ts';
import { Progress } from './progress.ts';
import { Terminal } from './terminal.ts';

/** How a program ends that does not end by itself, as shells and `timeout` tell it. */
const TIMED_OUT = 124;
const TRAPPED = 134;
const KILLED_BY = { SIGINT: 130, SIGTERM: 143 } as const;

export async function runCommand(file: string, given: readonly string[], flags: RunFlags): Promise<number> {
  const args = [file === '-' ? 'program' : path.basename(file), ...(given[0] === '--' ? given.slice(1) : given)];
  const files = await directories(flags.dir ?? []);
  const env = environment(flags.env ?? []);
  if (flags.trace !== undefined) await checkOutput(flags.trace);
  const source = await ready(file, flags);
  const recorder = flags.trace === undefined ? null : new FiberRecorder();
  const terminal = new Terminal();
  try {
    return await run(source, {
      args,
      env,
      ...(files !== null && { files }),
      ...terminal.streams,
      signal: terminal.signal,
      ...(flags.timeout !== undefined && { timeout: flags.timeout }),
      ...(recorder !== null && { guest: { onEvent: recorder.listener(args[0] ?? 'program') } }),
    });
  } catch (error) {
    if (terminal.received !== null) return KILLED_BY[terminal.received];
    if (error instanceof WebAssembly.RuntimeError) {
      process.stderr.write(`${args[0]} trapped: ${error.stack ?? error.message}\n`);
      return TRAPPED;
    }
    if (!(error instanceof FiberError || error instanceof FileError)) throw error;
    if (error instanceof FiberError && error.code === 'TIMEOUT') return TIMED_OUT;
    throw refusal(file, error.message);
  } finally {
    await terminal.release();
    // However it has ended: that is what one wants to look into.
    if (recorder !== null && flags.trace !== undefined) await writeTrace(recorder, flags.trace, file);
  }
}

async function writeTrace(recorder: FiberRecorder, to: string, program: string): Promise<void> {
  const isPage = /\.html$/i.test(to);
  const contents = isPage
    ? recorder.toHTML({ title: path.basename(program) })
    : `${JSON.stringify(recorder.toTraceEvents())}\n`;
  await writeOutputs([{ file: to, contents }]);
}

/** The directories that the program is given; null for none. */
async function directories(given: readonly string[]): Promise<Record<string, FileSystem> | null> {
  const files: Record<string, FileSystem> = {};
  for (const each of given) {
    const [host = '', guest = host, mode, ...rest] = each.split('::');
    if (host === '' || guest === '' || rest.length > 0 || (mode !== undefined && mode !== 'ro')) {
      throw new CliError(2, `--dir ${each}: must be HOST, HOST::GUEST or HOST::GUEST::ro.`);
    }
    if (guest.split('/').includes('..')) {
      throw new CliError(2, `--dir ${each}: say where the program sees it, as in ${host}::/data.`);
    }
    const at = `/${guest
      .split('/')
      .filter((name) => name !== '' && name !== '.')
      .join('/')}`;
    if (Object.hasOwn(files, at)) throw new CliError(2, `--dir ${each}: there is another directory at ${at}.`);
    await mustBeDirectory(host);
    files[at] = hostDirectory(host, { readOnly: mode === 'ro' });
  }
  return given.length === 0 ? null : files;
}

async function mustBeDirectory(directory: string): Promise<void> {
  try {
    if ((await stat(directory)).isDirectory()) return;
  } catch (error) {
    throw new CliError(
      2,
      `--dir ${directory}: ${codeOf(error) === 'ENOENT' ? 'no such directory.' : explain(error, 'read')}`,
    );
  }
  throw new CliError(2, `--dir ${directory}: is a file, not a directory.`);
}

function environment(given: readonly string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const each of given) {
    const end = each.indexOf('=');
    const name = end < 0 ? each : each.slice(0, end);
    const value = end < 0 ? process.env[name] : each.slice(end + 1);
    if (name === '') throw new CliError(2, `--env ${each}: must be NAME=value, or NAME.`);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

/** The program as this engine can run it. */
async function ready(file: string, flags: RunFlags): Promise<WebAssembly.Module | Uint8Array<ArrayBuffer>> {
  const wasm = new Uint8Array(await readInput(file));
  const module = await compile(file, wasm);
  const isInstrumented = WebAssembly.Module.customSections(module, SECTION).length > 0;
  const hasJspi = stackSwitching() !== null;
  if (isInstrumented || (hasJspi && flags.backend !== 'asyncify')) return module;
  if (flags.backend === 'jspi') throw refusal(file, 'this Node has no JSPI; leave out --backend jspi, or use Node 24.');
  const suspending = suspendingImports(module);
  if (suspending.length === 0) return module;
  return instrumented(file, wasm, { suspending, allocator: parseAllocator(flags.allocator) }, flags);
}

async function compile(file: string, wasm: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  ofFile(file, () => checkMagic(wasm));
  try {
    return await WebAssembly.compile(wasm);
  } catch (error) {
    throw refusal(file, `it cannot be compiled by this engine: ${String(error)}`);
  }
}

async function instrumented(
  file: string,
  wasm: Uint8Array<ArrayBuffer>,
  options: InstrumentOptions,
  flags: RunFlags,
): Promise<Uint8Array<ArrayBuffer>> {
  const job = { wasm, options };
  const progress = flags.quiet === true ? null : new Progress();
  const make = (): ReturnType<typeof runInThread> => runInThread(job, file, progress);
  try {
    if (flags.cache === false) return new Uint8Array((await make()).wasm);
    const cache = new Cache(flags.cache ?? userCache());
    return new Uint8Array((await cache.get(job, make)).result.wasm);
  } finally {
    progress?.end();
  }
}

function userCache(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  const base = XDG_CACHE_HOME || (process.platform === 'win32' && LOCALAPPDATA) || path.join(os.homedir(), '.cache');
  return path.join(base, 'wasm-fibers');
}
