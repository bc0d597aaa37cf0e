/**
 * The target `jspi`: the engine switches stacks, so code needs no rewriting. Our passes have added all there is to add; what
 * they wrote is the result, unless optimisation was asked for.
 */
import { FiberError } from '../errors.ts';
import { appendSection } from './binary/custom-section.ts';
import { Writer } from './binary/writer.ts';
import type { Binaryen } from './binaryen.ts';
import { hintChecks } from './metering/hints.ts';
import { emit, optimise, readModule } from './optimizer.ts';
import { describe, keepsNames } from './plan.ts';
import type { Plan, Report, Rewritten } from './plan.ts';
import type { Preparation } from './preparation.ts';
import { attachLocations, completeSourceMap } from './source-map.ts';
import { printSourceMap } from './source-map-bytes.ts';
import { Walker } from './walk.ts';

export function rewriteForJspi(
  binaryen: Binaryen | null,
  plan: Plan,
  preparation: Preparation,
  report: Report,
): Rewritten {
  report('instrumenting', 'adding shims');
  const written = binaryen === null ? write(plan, preparation, report) : optimised(binaryen, plan, preparation, report);
  // Where the engine does not accept the source either, it is older than the module.
  if (!isValid(written.wasm) && isValid(plan.outline.bytes)) {
    throw new FiberError('INTERNAL', 'The instrumented module is not valid: this is a bug in wasm-fibers.');
  }
  return {
    ...written,
    metadata: describe(plan, { largestFrame: 0, catchDepth: false }),
    instrumented: plan.selection.instrumented.size,
  };
}

function isValid(wasm: Uint8Array): boolean {
  return WebAssembly.validate(wasm as Uint8Array<ArrayBuffer>);
}

type Written = Pick<Rewritten, 'wasm' | 'sourceMap'>;

function write(plan: Plan, preparation: Preparation, report: Report): Written {
  report('writing', 'writing the instrumented module');
  const { functionNames } = preparation;
  const { outline, sourceMap } = plan.settings.metered
    ? hintChecks(preparation.outline, preparation.sourceMap)
    : preparation;
  const { bytes } = outline;
  if (sourceMap === null) return { wasm: bytes, sourceMap: null };
  const url = plan.settings.sourceMapUrl;
  const wasm = url === null ? bytes : appendSection(bytes, 'sourceMappingURL', new Writer().name(url).bytes);
  const names = plan.outline.names.functions.size === 0 || keepsNames(plan) ? new Map<number, string>() : functionNames;
  return { wasm, sourceMap: completeSourceMap(printSourceMap(sourceMap, outline), sourceMap, names) };
}

function optimised(binaryen: Binaryen, plan: Plan, preparation: Preparation, report: Report): Written {
  report('optimising', 'optimising the instrumented module');
  const { outline, shims, sourceMap } = preparation;
  const module = readModule(binaryen, plan, preparation);
  try {
    const walker = new Walker(binaryen);
    if (sourceMap !== null) attachLocations(walker, module, outline, sourceMap);
    const names = shims.map((index) => walker.raw.functionName(module.getFunctionByIndex(index)));
    optimise(binaryen, module, plan, names);
    report('writing', 'writing the instrumented module');
    return emit(binaryen, walker, module, plan);
  } finally {
    module.dispose();
  }
}
