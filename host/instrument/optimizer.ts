/** A module inside Binaryen: read with the features that engines have, optimised, and written with its source map. */
import { FiberError } from '../errors.ts';
import { ModuleEdit } from './binary/edit.ts';
import { readOutline } from './binary/module.ts';
import type { Binaryen, BinaryenModule } from './binaryen.ts';
import { chooseFeatures } from './features.ts';
import { keepsNames } from './plan.ts';
import type { Plan } from './plan.ts';
import type { Preparation } from './preparation.ts';
import { unsupported } from './refuse.ts';
import { completeSourceMap } from './source-map.ts';
import type { Walker } from './walk.ts';

export function readModule(binaryen: Binaryen, plan: Plan, { outline }: Preparation): BinaryenModule {
  const features = chooseFeatures(binaryen, plan.outline, plan.analysis);
  const module = binaryen.readBinary(outline.bytes, features);
  // Reading adds what the target_features section says, which may be more than engines have.
  module.setFeatures(features);
  if (isValid(module)) return module;
  module.dispose();
  throw unsupported(
    'Binaryen does not accept this module as valid, with any set of features that engines have. If engines do accept it, it uses a proposal that Binaryen does not know.',
  );
}

function isValid(module: BinaryenModule): boolean {
  return module.validate() === 1;
}

/** @param outOfLine patterns for the names of functions that must not be copied into others */
export function optimise(binaryen: Binaryen, module: BinaryenModule, plan: Plan, outOfLine: readonly string[]): void {
  const { optimizeLevel, shrinkLevel } = plan.settings;
  for (const pattern of outOfLine) {
    binaryen.setPassArgument('no-inline', pattern);
    module.runPasses(['no-inline']);
  }
  binaryen.setOptimizeLevel(optimizeLevel);
  binaryen.setShrinkLevel(shrinkLevel);
  module.optimize();
}

export function emit(
  binaryen: Binaryen,
  walker: Walker,
  module: BinaryenModule,
  plan: Plan,
): { wasm: Uint8Array; sourceMap: string | null } {
  const { settings, outline, sourceMap } = plan;
  if (!isValid(module)) {
    throw new FiberError('INTERNAL', 'The instrumented module is not valid: this is a bug in wasm-fibers or Binaryen.');
  }
  const named = keepsNames(plan);
  binaryen.setDebugInfo(named || settings.target === 'jspi');
  if (sourceMap === null) return { wasm: module.emitBinary(), sourceMap: null };
  // Without an address Binaryen writes no map.
  const { binary, sourceMap: text } = module.emitBinary(settings.sourceMapUrl ?? 'none');
  const wasm = settings.sourceMapUrl === null ? withoutUrl(binary) : binary;
  if (text === null) return { wasm, sourceMap: null };
  const names = named || outline.names.functions.size === 0 ? new Map<number, string>() : functionNames(walker, module);
  return { wasm, sourceMap: completeSourceMap(text, sourceMap, names) };
}

function withoutUrl(wasm: Uint8Array): Uint8Array {
  return new ModuleEdit(readOutline(wasm)).write((section) => section === 'sourceMappingURL').wasm;
}

/** By index in the module that is written: Binaryen puts imports first. */
function functionNames(walker: Walker, module: BinaryenModule): Map<number, string> {
  const own = [...walker.functions(module)];
  const imported = module.getNumFunctions() - own.length;
  return new Map(own.map((func, index) => [imported + index, walker.raw.functionName(func)]));
}
