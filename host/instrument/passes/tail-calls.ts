/**
 * Tail calls in functions that cannot suspend. Asyncify refuses a module with any tail call in it, though it leaves such
 * functions alone; so for as long as it runs they are plain calls with a return behind them:
 *
 *     (return_call f x)   ->   (return (call f x))         or, without a result,   (block (call f x) (return))
 *
 * Functions that are instrumented must not have any: refuse.ts has seen to that.
 */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { Walker } from '../walk.ts';

/** Puts the tail calls back. */
export type Restore = () => void;

export function hideTailCalls(walker: Walker, module: BinaryenModule): Restore {
  const { raw } = walker;
  const { auto, none, unreachable } = raw.binaryen;
  const setType = raw.call('ExpressionSetType');
  const kinds = new Map(['Call', 'CallIndirect', 'CallRef'].map((kind) => [raw.id(kind), kind]));
  /** Result type of a tail call, whose own type is `unreachable`. */
  const results = (kind: string, call: Ref): Ref => {
    if (kind === 'CallIndirect') return raw.call('CallIndirectGetResults')(call);
    if (kind === 'CallRef') {
      // Of a null reference nobody knows the type, and none is needed.
      const target = raw.getType(raw.call('CallRefGetTarget')(call));
      if (target === unreachable) return unreachable;
      const type = raw.call('TypeGetHeapType')(target);
      return raw.call('HeapTypeIsSignature')(type) === 0 ? unreachable : raw.call('SignatureTypeGetResults')(type);
    }
    return raw.call('FunctionGetResults')(raw.call('GetFunction')(module.ptr, raw.call('CallGetTarget')(call)));
  };
  /** What stands in the place of each tail call. */
  const standIns = new Map<Ref, { call: Ref; kind: string }>();
  const functions: Ref[] = [];
  for (const func of walker.functions(module)) {
    const tree = walker.tree(func);
    const before = standIns.size;
    for (let at = tree.ids.length - 1; at >= 0; at--) {
      const kind = kinds.get(tree.ids[at] ?? -1);
      const call = tree.expressions[at] ?? 0;
      if (kind === undefined || raw.call(`${kind}IsReturn`)(call) === 0) continue;
      const type = results(kind, call);
      raw.call(`${kind}SetReturn`)(call, 0);
      setType(call, type);
      const standIn = type === none ? module.block(null, [call, module.return()], auto) : module.return(call);
      standIns.set(standIn, { call, kind });
      walker.replace(tree, at, standIn);
    }
    if (standIns.size > before) functions.push(func);
  }
  return () => {
    for (const func of functions) {
      const tree = walker.tree(func);
      for (let at = tree.ids.length - 1; at >= 0; at--) {
        const hidden = standIns.get(tree.expressions[at] ?? 0);
        if (hidden === undefined) continue;
        raw.call(`${hidden.kind}SetReturn`)(hidden.call, 1);
        setType(hidden.call, unreachable);
        walker.replace(tree, at, hidden.call);
      }
    }
  };
}
