/**
 * Where stacks are switched, in the module itself, so that a wait costs the guest one call out, and the host one call in. Every
 * suspending import `m.n : (P) -> R` keeps its place among the imports, and a function of the same type takes its place
 * everywhere else:
 *
 *     wait (P) -> R
 *       if state                                      the frames have come back, and this is where they end
 *         if signal == NUMBER                         the host has put the value of this import into the window
 *           signal = 0; state = 0; return value
 *         trap if signal > 0                          the frames were damaged: they lead to another import
 *       result = call m.n (P)                         rewinding by the host, it gives the value or throws
 *       if data and signal == -1  state = 1           it gave a promise: everything unwinds
 *       return result
 *
 *     enter (function)                                goes on with the stack that lies in the window
 *       state = 2; call the function; state = 0
 *
 * `signal` and `value` are words of the window's header (host/backends/window.ts), which the host writes without a call. There
 * is no window, and `data` is 0, before the first wait of a guest, which the host begins by `asyncify_start_unwind`. Errors,
 * references and several results are brought by the host, which then ends the rewinding by `asyncify_stop_rewind`.
 *
 * NUMBER is that of the first import of the same module and name, from 1: the host cannot tell two of them apart.
 */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { AddedFunction } from '../binary/code-writer.ts';
import type { ModuleEdit } from '../binary/edit.ts';
import { functionImports } from '../binary/module.ts';
import type { Walker } from '../walk.ts';
import { SIGNAL, VALUE } from './window.ts';

/** The signal of the host that its function has returned a promise. */
const UNWIND = -1;

/** Begins the name of a function in the place of an import; that of its import follows. */
export const WAIT = 'wasm-fibers.wait:';

/** A function in the place of an import: until the states exist it does nothing but call it. */
export interface WaitFunction {
  readonly func: AddedFunction;
  /** The index of its import. */
  readonly imported: number;
  /** See above. */
  readonly number: number;
}

export function addWaitFunctions(edit: ModuleEdit, suspending: ReadonlySet<number>): WaitFunction[] {
  const { outline } = edit;
  const imports = functionImports(outline);
  return [...suspending].flatMap((imported) => {
    const own = imports[imported];
    const type = outline.functionTypes[imported];
    if (!own?.type || type === undefined) return [];
    const { module, name } = own;
    const count = own.type.params.length;
    const func = edit.addFunction(`${WAIT}${module}.${name}`, type, [], (code) => {
      code.parameters(count).call(imported);
    });
    edit.redirect(imported, func);
    const number = 1 + imports.findIndex((each) => each.module === module && each.name === name);
    return [{ func, imported, number }];
  });
}

/** Reads and writes the globals of the protocol. */
export interface Globals {
  state(): Ref;
  setState(state: number): Ref;
  data(): Ref;
}

/** Names in Binaryen. */
export interface NamedWait {
  readonly name: string;
  readonly imported: string;
  readonly number: number;
}

export function writeWaitFunctions(
  walker: Walker,
  module: BinaryenModule,
  waits: readonly NamedWait[],
  globals: Globals,
): void {
  const byName = new Map(waits.map((each) => [each.name, each]));
  for (const func of walker.functions(module)) {
    const wait = byName.get(walker.raw.functionName(func));
    if (wait !== undefined) writeWait(walker, module, func, wait, globals);
  }
}

function writeWait(walker: Walker, module: BinaryenModule, func: Ref, wait: NamedWait, globals: Globals): void {
  const { raw } = walker;
  const { binaryen } = raw;
  const { none, auto } = binaryen;
  const results = raw.call('FunctionGetResults')(func);
  const types = binaryen.expandType(raw.call('FunctionGetParams')(func));
  const signal = (): Ref => module.i32.load(SIGNAL, 4, globals.data());
  const block = (code: readonly Ref[]): Ref => module.block(null, code, auto);
  const given = valueOf(walker, module, results, globals.data());
  const arrive = [module.i32.store(SIGNAL, 4, globals.data(), module.i32.const(0)), globals.setState(0)];
  const isMine = module.i32.eq(signal(), module.i32.const(wait.number));
  const isDamaged = module.i32.gt_s(signal(), module.i32.const(0));
  const ends = [
    ...(given === null ? [] : [module.if(isMine, block([...arrive, module.return(given || undefined)]))]),
    module.if(isDamaged, module.unreachable()),
  ];
  const operands = types.map((type, index) => module.local.get(index, type));
  const call = module.call(wait.imported, operands, results);
  const isPromise = module.i32.eq(signal(), module.i32.const(UNWIND));
  const unwind = module.if(globals.data(), module.if(isPromise, globals.setState(1)));
  const local = results === none ? -1 : raw.call('FunctionAddVar')(func, results);
  const body = [
    module.if(globals.state(), block(ends)),
    local < 0 ? call : module.local.set(local, call),
    unwind,
    ...(local < 0 ? [] : [module.local.get(local, results)]),
  ];
  raw.call('FunctionSetBody')(func, module.block(null, body, local < 0 ? none : results));
}

/** What the host has put into the window, as a value of this type; 0 if there is none, null if the host cannot put it there. */
function valueOf({ raw }: Walker, module: BinaryenModule, type: Ref, data: Ref): Ref | null {
  const { none, i32, i64, f32, f64 } = raw.binaryen;
  if (type === none) return 0;
  if (type === i32) return module.i32.load(VALUE, 4, data);
  if (type === i64) return module.i64.load(VALUE, 8, data);
  if (type === f64) return module.f64.load(VALUE, 8, data);
  // As the engine would make it of a number.
  if (type === f32) return module.f32.demote(module.f64.load(VALUE, 8, data));
  return null;
}
