/**
 * Results of an AssemblyScript guest, read before anything else of it runs: a promise that the engine resolves hands them over
 * a turn of the event loop later, when another fiber may have had the collector free what they refer to. For each exported
 * function `NAME : (P) -> R` there is
 *
 *     wasm-fibers.enter.NAME (P) -> R
 *       results = call NAME (P)
 *       call returned.K (results)                  the host takes them up here, still inside the call
 *       return results
 *
 * with the imports `returned.K : (R) -> ()` from the module `wasm-fibers`, one for each R.
 */
import { Op } from '../binary/code.ts';
import type { AddedFunction } from '../binary/code-writer.ts';
import type { ModuleEdit } from '../binary/edit.ts';

const PREFIX = 'wasm-fibers.enter.';
/** Functions of the guest part, see assembly/fibers.ts, which are called from the host and never as a fiber. */
const GUEST_PART = '__fibers_';

export function addEntries(edit: ModuleEdit): void {
  const { outline } = edit;
  const returns = new Map<string, AddedFunction>();
  for (const { name, kind, index } of outline.exports) {
    const type = outline.functionTypes[index] ?? 0;
    const { params, results } = outline.types[type] ?? {};
    if (kind !== 'function' || params === undefined || results === undefined || name.startsWith(GUEST_PART)) continue;
    const key = results.join();
    let returned = returns.get(key);
    if (returned === undefined) {
      const own = `returned.${returns.size}`;
      returned = edit.addImport('wasm-fibers', own, edit.type(results, []), `wasm-fibers.${own}`);
      returns.set(key, returned);
    }
    const taken = returned;
    const enter = edit.addFunction(`${PREFIX}${name}`, type, results, (code) => {
      const locals = results.map((_, at) => params.length + at);
      const load = (): void => {
        for (const local of locals) code.op(Op.LocalGet, local);
      };
      code.parameters(params.length).call(edit.replaced(index));
      for (const local of locals.toReversed()) code.op(Op.LocalSet, local);
      load();
      code.call(taken);
      load();
    });
    edit.addExport(`${PREFIX}${name}`, 'function', enter);
  }
}
