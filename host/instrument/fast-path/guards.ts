/**
 * Functions that were left out of the instrumentation although something below them may suspend: behind each call that may,
 * they trap if it has. So the error has their name, and nothing goes on with a placeholder in the place of a result.
 */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { Walker } from '../walk.ts';
import { Shape, type IsPoint } from './shape.ts';

/** @param state not 0 while the guest unwinds */
export function addGuards(
  walker: Walker,
  module: BinaryenModule,
  functions: readonly Ref[],
  isPoint: IsPoint,
  state: () => Ref,
): void {
  const { raw } = walker;
  const { none, unreachable, auto } = raw.binaryen;
  for (const func of functions) {
    const shape = new Shape(walker, walker.tree(func), isPoint);
    for (let at = shape.tree.ids.length - 1; at >= 0; at--) {
      if (!shape.isPoint(at)) continue;
      const call = shape.expression(at);
      const type = raw.getType(call);
      if (type === unreachable) continue;
      const guard = module.if(state(), module.unreachable());
      if (type === none) {
        walker.replace(shape.tree, at, module.block(null, [call, guard], auto));
        continue;
      }
      const result = raw.call('FunctionAddVar')(func, type);
      const code = [module.local.set(result, call), guard, module.local.get(result, type)];
      walker.replace(shape.tree, at, module.block(null, code, auto));
    }
  }
}
