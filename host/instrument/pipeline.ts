/**
 * The order of instrumentation, once everything that can be refused has been:
 *
 *     asyncify    our passes before, on the bytes -> Binaryen: read -> our passes -> Asyncify -> our passes -> optimise -> write
 *     jspi        our passes, on the bytes -> if asked for, Binaryen: read -> optimise -> write
 *
 * and last the custom section. Everything here is synchronous: Binaryen's options are global to it, and nobody else may run
 * in between.
 */
import { SECTION } from '../runtime/metadata.ts';
import { rewriteForAsyncify } from './asyncify.ts';
import { appendSection } from './binary/custom-section.ts';
import { guarded } from './binaryen.ts';
import type { Binaryen } from './binaryen.ts';
import { rewriteForJspi } from './jspi.ts';
import type { Settings } from './options.ts';
import type { Plan, Report, Rewritten } from './plan.ts';
import { prepareModule } from './preparation.ts';

/** Does rewriting for these settings take Binaryen? */
export function needsBinaryen({ target, optimizeLevel, shrinkLevel }: Settings): boolean {
  return target === 'asyncify' || optimizeLevel > 0 || shrinkLevel > 0;
}

/** @param binaryen may be null if it is not needed */
export function rewrite(binaryen: Binaryen | null, plan: Plan): Rewritten {
  let doing = 'reading the module';
  const report: Report = (phase, description) => {
    doing = description;
    plan.settings.onProgress(phase);
  };
  report('reading', 'reading the module');
  const preparation = prepareModule(plan, !needsBinaryen(plan.settings));
  const used = needsBinaryen(plan.settings) ? binaryen : null;
  const work = (): Rewritten =>
    used === null || plan.settings.target === 'jspi'
      ? rewriteForJspi(used, plan, preparation, report)
      : rewriteForAsyncify(used, plan, preparation, report);
  const rewritten = used === null ? work() : guarded(used, () => doing, work);
  const section = new TextEncoder().encode(JSON.stringify(rewritten.metadata));
  return { ...rewritten, wasm: appendSection(rewritten.wasm, SECTION, section) };
}
