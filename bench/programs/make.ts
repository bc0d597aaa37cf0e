/**
 * The process that makes one build of a program: `make.js JOB`, and prints what it took. As the command line does, it works on
 * a thread with a large stack; nothing else happens in the process, so that its largest memory is that of the work.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import npmBinaryen from 'binaryen';
import { analyse } from '../../host/instrument/binary/analysis.ts';
import { readOutline } from '../../host/instrument/binary/module.ts';
import type { Binaryen } from '../../host/instrument/binaryen.ts';
import { chooseFeatures } from '../../host/instrument/features.ts';
import { instrument, type InstrumentOptions } from '../../host/instrument/index.ts';
import type { Recipe } from './variants.ts';

export interface Job {
  readonly recipe: Extract<Recipe, { readonly kind: 'binaryen' | 'instrument' }>;
  readonly suspending: readonly string[];
  readonly allocator: NonNullable<InstrumentOptions['allocator']>;
  readonly input: string;
  readonly output: string;
}

export interface Made {
  /** Of processor time. */
  readonly seconds: number;
  /** The most memory that the process ever had, in megabytes. */
  readonly megabytes: number;
}

const STACK_MB = 64;

/** The declarations of the package lag behind it. */
const binaryen = npmBinaryen as unknown as Binaryen;

if (isMainThread) {
  void new Worker(new URL(import.meta.url), {
    workerData: JSON.parse(process.argv[2] ?? '') as Job,
    resourceLimits: { stackSizeMb: STACK_MB },
  });
} else {
  const job = workerData as Job;
  const wasm = readFileSync(job.input);
  const started = process.cpuUsage();
  const made = job.recipe.kind === 'binaryen' ? withBinaryen(wasm, job) : await withInstrument(wasm, job);
  const { user, system } = process.cpuUsage(started);
  writeFileSync(job.output, made);
  const megabytes = process.resourceUsage().maxRSS / 1000;
  const taken: Made = { seconds: (user + system) / 1e6, megabytes };
  process.stdout.write(JSON.stringify(taken));
}

async function withInstrument(wasm: Uint8Array, { recipe, suspending, allocator }: Job): Promise<Uint8Array> {
  const options = recipe.kind === 'instrument' ? recipe.options : {};
  return (await instrument(wasm, { suspending, allocator, ...options })).wasm;
}

function withBinaryen(wasm: Uint8Array, { recipe, suspending }: Job): Uint8Array {
  if (recipe.kind !== 'binaryen') throw new Error('not for Binaryen alone');
  const outline = readOutline(wasm);
  const features = chooseFeatures(binaryen, outline, analyse(outline));
  const module = binaryen.readBinary(wasm, features);
  module.setFeatures(features);
  if (recipe.asyncify) {
    binaryen.setPassArgument('asyncify-imports', suspending.join(','));
    // Whoever has read its manual does that: without, frames are eight times as large.
    binaryen.setOptimizeLevel(1);
    module.runPasses(['asyncify']);
  }
  binaryen.setOptimizeLevel(recipe.optimizeLevel);
  binaryen.setShrinkLevel(0);
  module.optimize();
  binaryen.setDebugInfo(outline.names.functions.size > 0);
  return module.emitBinary();
}
