/**
 * Which WebAssembly features a module is read and written with. Not all that Binaryen knows: with every feature on it
 * emits what V8 rejects. Not only what the module says of itself: Emscripten says nothing, and Binaryen then aborts.
 */
import type { Analysis } from './binary/analysis.ts';
import type { Outline } from './binary/module.ts';
import type { Binaryen } from './binaryen.ts';

/** What every engine that we support has (Node 20 is the oldest), so that Binaryen may use it. */
const BASE = [
  'MutableGlobals',
  'NontrappingFPToInt',
  'SIMD128',
  'BulkMemory',
  'BulkMemoryOpt',
  'SignExt',
  'ExceptionHandling',
  'ReferenceTypes',
  'CallIndirectOverlong',
  'Multivalue',
] as const;

/** Spellings in the `target_features` section of features that are only switched on where a module asks for them. */
const ASKED_FOR: Readonly<Record<string, string>> = {
  'tail-call': 'TailCall',
  'extended-const': 'ExtendedConst',
  'relaxed-simd': 'RelaxedSIMD',
  atomics: 'Atomics',
  gc: 'GC',
  fp16: 'FP16',
  'wide-arithmetic': 'WideArithmetic',
  'custom-page-sizes': 'CustomPageSizes',
};

export function chooseFeatures(binaryen: Binaryen, outline: Outline, analysis: Analysis): number {
  const wanted = new Set<string>(BASE);
  for (const name of outline.features ?? []) {
    const feature = ASKED_FOR[name];
    if (feature !== undefined) wanted.add(feature);
  }
  for (const feature of analysis.features) wanted.add(feature);
  if (outline.gcTypes || outline.hasGcReferences) wanted.add('GC');
  if (outline.extendedConstants) wanted.add('ExtendedConst');
  return bits(binaryen, wanted);
}

function bits(binaryen: Binaryen, names: Iterable<string>): number {
  let features = 0;
  for (const name of names) features |= binaryen.Features[name] ?? 0;
  return features;
}
