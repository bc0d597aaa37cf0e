/**
 * Indirect calls that cannot suspend, hidden from Asyncify: it takes every `call_indirect` that it sees for one that may, and
 * for as long as it runs these are calls of imports that do not suspend:
 *
 *     (call_indirect $t (type $T) a b (target))   ->   (call $wasm-fibers.indirect.N a b (target))
 *
 * So the functions that it instruments are exactly those that the call graph says, whatever their names, and in them the
 * hidden calls cost nothing. The stand-ins are made in the module's bytes, where the type of each call is exact; for each
 * there is a function that holds the call that it stands for, of which copies come back in its place.
 *
 * Where a call is hidden because somebody has promised that it does not suspend, it is watched when it comes back:
 *
 *     before = state;  call_indirect;  if (state != before) unreachable
 *
 * which is what Asyncify's own assertions are. They alone do not do: they stand in functions that are not instrumented only.
 */
import { FiberError } from '../../errors.ts';
import { Op } from '../binary/code.ts';
import type { AddedFunction } from '../binary/code-writer.ts';
import type { ModuleEdit } from '../binary/edit.ts';
import type { IndirectCall } from '../binary/analysis.ts';
import type { BinaryenModule, Ref } from '../binaryen.ts';
import { RESUMED } from '../fast-path/bodies.ts';
import type { Handling } from '../select.ts';
import type { Walker } from '../walk.ts';

const STATE = '__asyncify_state';

/** One kind of hidden call. */
export interface HiddenCalls {
  readonly standIn: AddedFunction;
  readonly template: AddedFunction;
  readonly watched: boolean;
}

export interface Hidden {
  readonly calls: readonly HiddenCalls[];
  /** Indices in the source of the functions that have any. */
  readonly callers: ReadonlySet<number>;
}

/** Has stand-ins written in the place of indirect calls. What it returns is complete once the edit has been written. */
export function hideIndirectCalls(
  edit: ModuleEdit,
  handlingOf: (caller: number, call: IndirectCall) => Handling,
  callsOf: readonly { readonly caller: number; readonly calls: readonly IndirectCall[] }[],
): Hidden {
  const known = new Map<string, HiddenCalls>();
  const callers = new Set<number>();
  const keyOf = ({ type, table }: IndirectCall, watched: boolean): string => `${type} ${table} ${watched}`;
  for (const { caller, calls } of callsOf) {
    for (const call of calls) {
      const handling = handlingOf(caller, call);
      const signature = edit.outline.types[call.type];
      if (handling === 'seen' || !signature) continue;
      callers.add(caller);
      const key = keyOf(call, handling === 'watched');
      if (known.has(key)) continue;
      const name = `indirect.${known.size}`;
      const type = edit.type([...signature.params, 'i32'], signature.results);
      known.set(key, {
        standIn: edit.addImport('wasm-fibers', name, type, `wasm-fibers.${name}`),
        template: edit.addFunction(`wasm-fibers.${name}.template`, type, [], (code) => {
          code.parameters(signature.params.length + 1).op(Op.CallIndirect, call.type, call.table);
        }),
        watched: handling === 'watched',
      });
    }
  }
  edit.redirectIndirect((caller, call) => {
    const handling = handlingOf(caller, call);
    return handling === 'seen' ? null : (known.get(keyOf(call, handling === 'watched'))?.standIn ?? null);
  });
  return { calls: [...known.values()], callers };
}

type OnRestore = (func: Ref, call: Ref, standIn: Ref) => void;

/** Names in Binaryen. */
export interface NamedHidden {
  readonly calls: readonly { readonly standIn: string; readonly template: string; readonly watched: boolean }[];
  readonly callers: ReadonlySet<string>;
}

/**
 * Takes the templates out of the module, in which Asyncify must not see them.
 *
 * @param onRestore told of each call that has come back, and of its stand-in
 * @returns what puts the calls back in the place of their stand-ins, also in copies of functions
 */
export function takeIndirectCalls(
  walker: Walker,
  module: BinaryenModule,
  hidden: NamedHidden,
  onRestore: OnRestore,
): () => void {
  const { raw } = walker;
  const callIndirect = raw.id('CallIndirect');
  const remove = (name: string): void => module.removeFunction(name);
  const templates = new Map<string, { readonly call: Ref; readonly watched: boolean }>();
  for (const func of walker.functions(module)) {
    const name = raw.functionName(func);
    const found = hidden.calls.find((each) => each.template === name);
    if (found === undefined) continue;
    const tree = walker.tree(func);
    const call = tree.expressions[tree.ids.indexOf(callIndirect)];
    if (call === undefined) throw new FiberError('INTERNAL', `The function ${name} has lost its call.`);
    templates.set(found.standIn, { call, watched: found.watched });
  }
  for (const { template } of hidden.calls) remove(template);
  return () => {
    for (const func of walker.functions(module)) {
      const name = raw.functionName(func);
      const original = name.startsWith(RESUMED) ? name.slice(RESUMED.length) : name;
      if (hidden.callers.has(original)) restore(walker, module, func, templates, onRestore);
    }
    for (const { standIn } of hidden.calls) remove(standIn);
  };
}

function restore(
  walker: Walker,
  module: BinaryenModule,
  func: Ref,
  templates: ReadonlyMap<string, { readonly call: Ref; readonly watched: boolean }>,
  onRestore: OnRestore,
): void {
  const { raw } = walker;
  const { auto, i32, none, unreachable } = raw.binaryen;
  const callId = raw.id('Call');
  const addVar = raw.call('FunctionAddVar');
  const state = (): Ref => module.global.get(STATE, i32);
  let before: number | null = null;
  const tree = walker.tree(func);
  // Backwards: what stands inside of an operand is put back before the operand is handed on.
  for (let at = tree.ids.length - 1; at >= 0; at--) {
    const standIn = tree.expressions[at] ?? 0;
    if (tree.ids[at] !== callId) continue;
    const template = templates.get(raw.string(raw.call('CallGetTarget')(standIn)));
    if (template === undefined) continue;
    const call = raw.call('ExpressionCopy')(template.call, module.ptr);
    const target = raw.call('CallGetNumOperands')(standIn) - 1;
    for (let index = 0; index < target; index++) {
      raw.call('CallIndirectSetOperandAt')(call, index, raw.call('CallGetOperandAt')(standIn, index));
    }
    raw.call('CallIndirectSetTarget')(call, raw.call('CallGetOperandAt')(standIn, target));
    if (raw.call('CallIsReturn')(standIn) !== 0) raw.call('CallIndirectSetReturn')(call, 1);
    raw.call('ExpressionFinalize')(call);
    onRestore(func, call, standIn);
    const type = raw.getType(call);
    if (!template.watched || type === unreachable) {
      walker.replace(tree, at, call);
      continue;
    }
    before ??= addVar(func, i32);
    const local = before;
    const check = module.if(module.i32.ne(state(), module.local.get(local, i32)), module.unreachable());
    const enter = module.local.set(local, state());
    const result = type === none ? -1 : addVar(func, type);
    const rest =
      type === none ? [call, check] : [module.local.set(result, call), check, module.local.get(result, type)];
    walker.replace(tree, at, module.block(null, [enter, ...rest], auto));
  }
}
