/** `wasm-fibers instrument`: options to a call of `instrument`, its result to files and a summary. */
import { Worker } from 'node:worker_threads';
import type { InstrumentOptions, InstrumentResult } from '../instrument/index.ts';
import { CliError } from './errors.ts';
import { readInput, refusal } from './files.ts';
import { checkOutput, writeOutputs } from './output.ts';
import type { Output } from './output.ts';
import { Progress } from './progress.ts';
import { bytes, styleFor } from './style.ts';
import type { Job, Message } from './worker.ts';

/** Megabytes of native stack for Binaryen. */
const STACK_MB = 64;

export interface InstrumentFlags {
  readonly output: string;
  readonly suspending?: readonly string[];
  readonly optimize: { readonly optimizeLevel: 0 | 1 | 2 | 3 | 4; readonly shrinkLevel: 0 | 1 | 2 };
  readonly only?: readonly string[];
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  readonly ignoreIndirect?: boolean;
  readonly stripDebug?: boolean;
  readonly stackPointer?: string;
  readonly shadowStack: 'auto' | 'llvm' | 'assemblyscript' | 'none';
  readonly allocator?: string;
  readonly fiberGlobal?: readonly string[];
  readonly inputSourceMap?: string;
  readonly outputSourceMap?: string;
  readonly outputSourceMapUrl?: string;
  readonly quiet?: boolean;
}

export async function instrumentCommand(input: string, flags: InstrumentFlags): Promise<void> {
  const { output, inputSourceMap, outputSourceMap, outputSourceMapUrl } = flags;
  if ((inputSourceMap === undefined) !== (outputSourceMap === undefined)) {
    const [given, missing] = inputSourceMap === undefined ? ['output', 'input'] : ['input', 'output'];
    throw new CliError(2, `--${given}-source-map also needs --${missing}-source-map FILE.`);
  }
  if (output === outputSourceMap)
    throw new CliError(2, `${output}: the module and its source map need two different files.`);
  await checkOutput(output);
  if (outputSourceMap !== undefined) await checkOutput(outputSourceMap);
  const wasm = await readInput(input);
  const options: Job['options'] = {
    suspending: flags.suspending ?? [],
    ...flags.optimize,
    only: flags.only ?? [],
    add: flags.add ?? [],
    remove: flags.remove ?? [],
    ignoreIndirect: flags.ignoreIndirect ?? false,
    debugNames: !flags.stripDebug,
    stackPointer: flags.stackPointer ?? 'auto',
    shadowStack: flags.shadowStack,
    allocator: parseAllocator(flags.allocator),
    fiberGlobals: flags.fiberGlobal ?? [],
    ...(inputSourceMap === undefined ? {} : { sourceMap: new TextDecoder().decode(await readInput(inputSourceMap)) }),
    ...(outputSourceMapUrl === undefined ? {} : { sourceMapUrl: outputSourceMapUrl }),
  };
  const result = await runInThread({ wasm, options }, input);
  const outputs: Output[] = [];
  if (outputSourceMap !== undefined && result.sourceMap !== null) {
    outputs.push({ file: outputSourceMap, contents: result.sourceMap });
  }
  outputs.push({ file: output, contents: result.wasm });
  await writeOutputs(outputs);
  if (!flags.quiet) summarise(output, result);
}

function parseAllocator(given: string | undefined): NonNullable<InstrumentOptions['allocator']> {
  if (given === undefined || given === 'auto') return 'auto';
  if (given === 'memory.grow') return given;
  const [alloc, free, ...rest] = given.split(',');
  if (!alloc || !free || rest.length > 0) {
    throw new CliError(2, `--allocator ${given}: must be ALLOC,FREE (two function names), auto or memory.grow.`);
  }
  return [alloc, free];
}

function runInThread(job: Job, input: string): Promise<InstrumentResult> {
  const progress = new Progress();
  return new Promise<InstrumentResult>((resolve, reject) => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: job,
      resourceLimits: { stackSizeMb: STACK_MB },
    });
    worker.on('message', (message: Message) => {
      if (message.kind === 'phase') progress.phase(message.phase);
      else if (message.kind === 'result') resolve(message.result);
      else reject(refusal(input, message.message));
    });
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`the instrumenting thread ended with code ${code}`)));
  }).finally(() => progress.end());
}

function summarise(output: string, result: InstrumentResult): void {
  const style = styleFor(process.stderr);
  const { functions, size, suspending, metadata } = result;
  const factor = (size.after / size.before).toFixed(2);
  const where = output === '-' ? 'standard output' : output;
  process.stderr.write(
    `${style.green('instrumented')} ${where}: ${functions.instrumented} of ${functions.total} functions, ` +
      `${bytes(size.before)} -> ${bytes(size.after)} (${factor}x), suspending: ${suspending.join(', ')}${
        metadata.start ? `; the start function is now the export wasm-fibers.start` : ''
      }\n`,
  );
  for (const warning of result.warnings) process.stderr.write(`${style.yellow('warning:')} ${warning}\n`);
}
