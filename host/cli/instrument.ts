/** `wasm-fibers instrument`: options to calls of `instrument`, their results to files and a summary. */
import { Worker } from 'node:worker_threads';
import type { InstrumentOptions, InstrumentResult, Target } from '../instrument/index.ts';
import { Cache } from './cache.ts';
import type { CachedResult } from './cache.ts';
import type { InstrumentFlags } from './commands/instrument.ts';
import { CliError } from './errors.ts';
import { readInput, refusal } from './files.ts';
import { checkOutput, writeOutputs } from './output.ts';
import type { Output } from './output.ts';
import { TARGETS, ofTarget } from './pair.ts';
import { Progress } from './progress.ts';
import { bytes, styleFor } from './style.ts';
import type { Job, Message } from './worker.ts';

/** Megabytes of native stack for Binaryen. */
const STACK_MB = 64;

/** One module to be written, and where. */
interface Wanted {
  readonly target: Target;
  readonly output: string;
  readonly sourceMap: string | null;
  readonly sourceMapUrl: string | null;
}

export async function instrumentCommand(input: string, flags: InstrumentFlags): Promise<void> {
  const { inputSourceMap, outputSourceMap } = flags;
  if ((inputSourceMap === undefined) !== (outputSourceMap === undefined)) {
    const [given, missing] = inputSourceMap === undefined ? ['output', 'input'] : ['input', 'output'];
    throw new CliError(2, `--${given}-source-map also needs --${missing}-source-map FILE.`);
  }
  const wanted = whatToWrite(input, flags);
  const files = wanted.flatMap(({ output, sourceMap }) => (sourceMap === null ? [output] : [output, sourceMap]));
  for (const [index, file] of files.entries()) {
    if (files.indexOf(file) < index)
      throw new CliError(2, `${file}: the module and its source map need two different files.`);
    await checkOutput(file);
  }
  const wasm = await readInput(input);
  const map = inputSourceMap === undefined ? null : new TextDecoder().decode(await readInput(inputSourceMap));
  const progress = flags.quiet ? null : new Progress();
  const cache = flags.cache === undefined ? null : new Cache(flags.cache);
  const results: (readonly [Wanted, CachedResult])[] = [];
  try {
    for (const each of wanted) {
      const job = { wasm, options: optionsFor(each, flags, map) };
      const make = (): Promise<InstrumentResult> => runInThread(job, input, progress);
      results.push([each, cache === null ? { result: await make(), fromCache: false } : await cache.get(job, make)]);
    }
  } finally {
    progress?.end();
  }
  // All maps before all modules: whoever sees a module finds its map.
  const maps = results.flatMap(([{ sourceMap }, { result }]): Output[] =>
    sourceMap === null || result.sourceMap === null ? [] : [{ file: sourceMap, contents: result.sourceMap }],
  );
  await writeOutputs([
    ...maps,
    ...results.map(([{ output }, { result }]) => ({ file: output, contents: result.wasm })),
  ]);
  if (!flags.quiet) summarise(results, cache?.problems ?? []);
}

function whatToWrite(input: string, flags: InstrumentFlags): Wanted[] {
  const { target, output, outputSourceMap: sourceMap = null, outputSourceMapUrl: sourceMapUrl = null } = flags;
  if (target !== 'both') {
    if (output === undefined) {
      throw new CliError(2, "required option '-o, --output <file>' not specified (only --target both can do without).");
    }
    return [{ target, output, sourceMap, sourceMapUrl }];
  }
  const pair = output ?? input;
  for (const [name, what] of [
    [pair, output === undefined ? 'two modules read from standard input need a name' : 'two modules are written'],
    [sourceMap, 'two source maps are written'],
  ] as const) {
    if (name === '-') throw new CliError(2, `--target both: ${what}; name a file with -o, such as app.wasm.`);
  }
  return TARGETS.map((each) => ({
    target: each,
    output: ofTarget(pair, each),
    sourceMap: sourceMap === null ? null : ofTarget(sourceMap, each),
    sourceMapUrl: sourceMapUrl === null ? null : ofTarget(sourceMapUrl, each),
  }));
}

function optionsFor({ target, sourceMapUrl }: Wanted, flags: InstrumentFlags, map: string | null): Job['options'] {
  const { only = [], add = [], remove = [], ignoreIndirect = false, closedTables = false, fastPath } = flags;
  const path = fastPath === undefined ? {} : { fastPath };
  const all = { only, add, remove, ignoreIndirect, closedTables, ...path };
  // In a pair they are for the module that they mean something for.
  const lists = flags.target === 'both' && target === 'jspi' ? {} : all;
  return {
    target,
    suspending: flags.suspending ?? [],
    ...flags.optimize,
    ...lists,
    debugNames: !flags.stripDebug,
    stackPointer: flags.stackPointer ?? 'auto',
    shadowStack: flags.shadowStack,
    allocator: parseAllocator(flags.allocator),
    fiberGlobals: flags.fiberGlobal ?? [],
    ...meteringOf(flags),
    ...(map === null ? {} : { sourceMap: map }),
    ...(sourceMapUrl === null ? {} : { sourceMapUrl }),
  };
}

function meteringOf(flags: InstrumentFlags): Pick<InstrumentOptions, 'metered' | 'limits'> {
  const { metered = false, memoryPages, tableElements, callDepth } = flags;
  const limits = {
    ...(memoryPages !== undefined && { memoryPages }),
    ...(tableElements !== undefined && { tableElements }),
    ...(callDepth !== undefined && { callDepth }),
  };
  return { metered, limits };
}

export function parseAllocator(given: string | undefined): NonNullable<InstrumentOptions['allocator']> {
  if (given === undefined || given === 'auto') return 'auto';
  if (given === 'memory.grow') return given;
  const [alloc, free, ...rest] = given.split(',');
  if (!alloc || !free || rest.length > 0) {
    throw new CliError(2, `--allocator ${given}: must be ALLOC,FREE (two function names), auto or memory.grow.`);
  }
  return [alloc, free];
}

export function runInThread(job: Job, input: string, progress: Progress | null): Promise<InstrumentResult> {
  return new Promise<InstrumentResult>((resolve, reject) => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: job,
      resourceLimits: { stackSizeMb: STACK_MB },
    });
    worker.on('message', (message: Message) => {
      if (message.kind === 'phase') progress?.phase(message.phase);
      else if (message.kind === 'result') resolve(message.result);
      else reject(refusal(input, message.message));
    });
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`the instrumenting thread ended with code ${code}`)));
  });
}

function summarise(results: readonly (readonly [Wanted, CachedResult])[], problems: readonly string[]): void {
  const style = styleFor(process.stderr);
  for (const [{ output, target }, { result, fromCache }] of results) {
    const { functions, size, suspending, metadata } = result;
    const factor = (size.after / size.before).toFixed(2);
    const where = output === '-' ? 'standard output' : output;
    const what = `${target === 'jspi' ? ' for jspi' : ''}${fromCache ? ' (from the cache)' : ''}`;
    const done = target === 'jspi' ? 'functions may wait, none rewritten' : 'functions';
    process.stderr.write(
      `${style.green('instrumented')} ${where}${what}: ${functions.instrumented} of ${functions.total} ${done}, ` +
        `${bytes(size.before)} -> ${bytes(size.after)} (${factor}x), suspending: ${suspending.join(', ')}${
          metadata.start ? `; the start function is now the export wasm-fibers.start` : ''
        }\n`,
    );
  }
  const warnings = new Set([...results.flatMap(([, { result }]) => result.warnings), ...problems]);
  for (const warning of warnings) process.stderr.write(`${style.yellow('warning:')} ${warning}\n`);
}
