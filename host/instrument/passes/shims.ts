/**
 * Suspending on the engine's own stack switching. Every suspending import `m.n : (P) -> R` keeps its place among the imports,
 * and a function of the same type, its shim, takes its place everywhere else: in calls, tables, references, exports.
 *
 *     shim (P) -> R
 *       return call m.n (P)  unless  pending         the host gave a value: it was there at once, and nothing waits
 *       loop                                         the host gave a promise, and called set_pending(token) before it returned
 *         token = pending; pending = 0
 *         call suspend                               the engine puts the stack aside in here
 *         return call arrive.K (token)  unless  pending
 *                                                    the host restores what is this fiber's own, and gives the value or throws;
 *                                                    or it says that the wait is not over
 *
 * `suspend` and `arrive.K : (i32) -> R`, one for each R, are imports from the module `wasm-fibers`; only `suspend` is
 * wrapped as suspending. So a plain value costs no turn of the event loop and is fit for calls that cannot wait, and the
 * first thing that runs after a wait is the host: no code of the guest sees the stack pointer of another fiber. An error
 * thrown by `arrive.K` appears at the call that waited; no exception handling is needed here, whatever the guest uses.
 *
 * What the imports return beside a token is dropped. Nobody can make up a reference that is not null, so an import that
 * returns such references is retyped to return nullable ones.
 *
 * Invariants: `pending` is 0 whenever code of the guest runs; a token is never 0; at a wait the innermost frame of the guest
 * is a shim, since a shim is never inlined.
 */
import { Op } from '../binary/code.ts';
import type { AddedFunction, CodeWriter } from '../binary/code-writer.ts';
import type { ModuleEdit } from '../binary/edit.ts';
import { functionImports } from '../binary/module.ts';

const PENDING = 'wasm-fibers.pending';
const SET_PENDING = 'wasm-fibers.set_pending';
/** Begins the name of a shim; that of its import follows. */
const SHIM = 'wasm-fibers.shim.';

/** @returns the shims */
export function addShims(edit: ModuleEdit, suspending: ReadonlySet<number>): AddedFunction[] {
  const { outline } = edit;
  const imports = functionImports(outline);
  const pending = edit.addGlobal(PENDING, 0);
  const set = edit.addFunction(SET_PENDING, edit.type(['i32'], []), [], (code) => {
    code.op(Op.LocalGet, 0).op(Op.GlobalSet, pending);
  });
  edit.addExport(SET_PENDING, 'function', set);
  if (suspending.size === 0) return [];
  const suspend = edit.addImport('wasm-fibers', 'suspend', edit.type([], []), 'wasm-fibers.suspend');
  const arrivals = new Map<string, AddedFunction>();
  return [...suspending].flatMap((index) => {
    const { module, name, type: signature } = imports[index] ?? {};
    if (!signature) return [];
    const { params, results } = signature;
    const given = results.map(nullable);
    const key = given.join();
    let arrive = arrivals.get(key);
    if (arrive === undefined) {
      const own = `arrive.${arrivals.size}`;
      arrive = edit.addImport('wasm-fibers', own, edit.type(['i32'], given), `wasm-fibers.${own}`);
      arrivals.set(key, arrive);
    }
    const arrived = arrive;
    const definite = results.some(isDefinite);
    if (definite) edit.retype(index, edit.type(params, given));
    const token = params.length;
    const type = outline.functionTypes[index] ?? 0;
    const locals = definite ? ['i32', ...given] : ['i32'];
    const shim = edit.addFunction(`${SHIM}${module}.${name}`, type, locals, (code) => {
      // Takes what an import has returned, and leaves the function with it unless a token came beside it.
      const returnIfNotPending = (depth: number): void => {
        if (definite) returnDefinite(code, pending, results, token + 1);
        else {
          code.op(Op.GlobalGet, pending).op(Op.I32Eqz).op(Op.BrIf, depth);
          for (const _ of results) code.op(Op.Drop);
        }
      };
      code.parameters(params.length).call(index);
      returnIfNotPending(0);
      code.loop(() => {
        code.op(Op.GlobalGet, pending).op(Op.LocalSet, token);
        code.constant(0).op(Op.GlobalSet, pending);
        code.call(suspend);
        code.op(Op.LocalGet, token).call(arrived);
        returnIfNotPending(1);
        code.op(Op.Br, 0);
      });
      code.op(Op.Unreachable);
    });
    edit.redirect(index, shim);
    return [shim];
  });
}

function isDefinite(type: string): boolean {
  return type.startsWith('(ref ') && !type.startsWith('(ref null ');
}

function nullable(type: string): string {
  return isDefinite(type) ? type.replace('(ref ', '(ref null ') : type;
}

/** The same for references that are not null, which the guest expects, and the imports do not say. */
function returnDefinite(code: CodeWriter, pending: number, results: readonly string[], locals: number): void {
  for (const at of results.keys()) code.op(Op.LocalSet, locals + results.length - 1 - at);
  code.op(Op.GlobalGet, pending).op(Op.I32Eqz);
  code.when((plain) => {
    for (const [at, type] of results.entries()) {
      plain.op(Op.LocalGet, locals + at);
      if (isDefinite(type)) plain.op(Op.RefAsNonNull);
    }
    plain.op(Op.Return);
  });
}
