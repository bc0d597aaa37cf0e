/** A module inside Binaryen: read with the features that engines have, optimised, and written with its source map. */
import { FiberError } from '../errors.ts';
import { SECTION } from '../runtime/metadata.ts';
import { appendSection } from './binary/custom-section.ts';
import { ModuleEdit } from './binary/edit.ts';
import { readOutline } from './binary/module.ts';
import { editedNames } from './binary/name-section.ts';
import type { Binaryen, BinaryenModule } from './binaryen.ts';
import { chooseFeatures } from './features.ts';
import { RESUMED } from './fast-path/bodies.ts';
import { PART } from './fast-path/parts.ts';
import { keepsNames } from './plan.ts';
import type { Plan } from './plan.ts';
import type { Preparation } from './preparation.ts';
import { unsupported } from './refuse.ts';
import { completeSourceMap } from './source-map.ts';
import type { Walker } from './walk.ts';

const OWN = `${SECTION}.`;

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
  binaryen.setOptimizeLevel(canFlatten(binaryen, module, plan) ? optimizeLevel : Math.min(optimizeLevel, 3));
  binaryen.setShrinkLevel(shrinkLevel);
  module.optimize();
}

/**
 * Level 4 is level 3 on code in flat form. Binaryen aborts on bringing a `try_table` into it, and refuses to with the branches
 * on casts that its own passes make where there are GC types.
 */
function canFlatten({ Features }: Binaryen, module: BinaryenModule, { analysis }: Plan): boolean {
  const hasGc = (module.getFeatures() & (Features['GC'] ?? 0)) !== 0;
  return !hasGc && !analysis.functions.some((each) => each.tryTable);
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
  binaryen.setDebugInfo(true);
  const finished = (wasm: Uint8Array): Uint8Array => (named ? wasm : withOwnNames(wasm));
  if (sourceMap === null) return { wasm: finished(module.emitBinary()), sourceMap: null };
  // Without an address Binaryen writes no map.
  const { binary, sourceMap: text } = module.emitBinary(settings.sourceMapUrl ?? 'none');
  const wasm = finished(settings.sourceMapUrl === null ? withoutUrl(binary) : binary);
  if (text === null) return { wasm, sourceMap: null };
  const names = named || outline.names.functions.size === 0 ? new Map<number, string>() : functionNames(walker, module);
  return { wasm, sourceMap: completeSourceMap(text, sourceMap, names) };
}

function withoutUrl(wasm: Uint8Array): Uint8Array {
  return new ModuleEdit(readOutline(wasm)).write((section) => section === 'sourceMappingURL').wasm;
}

/** Without the names that the module must not have, and with those that tell the host whose frames are none of the guest's. */
function withOwnNames(wasm: Uint8Array): Uint8Array {
  const outline = readOutline(wasm);
  const own = [...outline.names.functions].flatMap(([index, name]) => {
    const short = ownName(name);
    return short === null ? [] : [[index, short] as const];
  });
  const { wasm: nameless } = new ModuleEdit(outline).write((section) => section === 'name', 'none');
  if (own.length === 0) return nameless;
  const names = editedNames(null, { shifted: (index) => index, functions: own, globals: [] });
  return appendSection(nameless, 'name', names);
}

/** The shortest name that tells that a function is ours; null for those of the guest, and for our copies of them. */
function ownName(name: string): string | null {
  if (name.startsWith(PART)) return PART;
  return name.startsWith(OWN) && !name.startsWith(RESUMED) ? name : null;
}

/** By index in the module that is written: Binaryen puts imports first. */
function functionNames(walker: Walker, module: BinaryenModule): Map<number, string> {
  const own = [...walker.functions(module)];
  const imported = module.getNumFunctions() - own.length;
  return new Map(own.map((func, index) => [imported + index, walker.raw.functionName(func)]));
}
