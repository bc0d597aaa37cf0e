/**
 * Trees of expressions, walked without recursion: function bodies nest deeper than the native stack of the host. A tree
 * is laid out as arrays in execution order of the operands, parents first, so that a pass is a loop over indices;
 * backwards, the same loop sees children before their parents and may replace any node.
 *
 * What each kind of expression has inside is a table, since binaryen-c.h names its accessors regularly:
 * `Condition` stands for XGetCondition and XSetCondition, `Operand*` for XGetNumOperands, XGetOperandAt, XSetOperandAt.
 */
import type { Binaryen, BinaryenModule, Ref } from './binaryen.ts';
import { Raw } from './raw.ts';

const SHAPES: Readonly<Record<string, string>> = {
  Block: 'Child*',
  If: 'Condition IfTrue IfFalse',
  Loop: 'Body',
  Break: 'Value Condition',
  Switch: 'Value Condition',
  Call: 'Operand*',
  CallIndirect: 'Operand* Target',
  CallRef: 'Operand* Target',
  LocalGet: '',
  LocalSet: 'Value',
  GlobalGet: '',
  GlobalSet: 'Value',
  TableGet: 'Index',
  TableSet: 'Index Value',
  TableSize: '',
  TableGrow: 'Value Delta',
  Load: 'Ptr',
  Store: 'Ptr Value',
  Const: '',
  Unary: 'Value',
  Binary: 'Left Right',
  Select: 'IfTrue IfFalse Condition',
  Drop: 'Value',
  Return: 'Value',
  MemorySize: '',
  MemoryGrow: 'Delta',
  Nop: '',
  Unreachable: '',
  Pop: '',
  Pause: '',
  SIMDExtract: 'Vec',
  SIMDReplace: 'Vec Value',
  SIMDShuffle: 'Left Right',
  SIMDTernary: 'A B C',
  SIMDShift: 'Vec Shift',
  SIMDLoad: 'Ptr',
  SIMDLoadStoreLane: 'Ptr Vec',
  MemoryInit: 'Dest Offset Size',
  DataDrop: '',
  MemoryCopy: 'Dest Source Size',
  MemoryFill: 'Dest Value Size',
  RefNull: '',
  RefIsNull: 'Value',
  RefAs: 'Value',
  RefFunc: '',
  RefEq: 'Left Right',
  RefTest: 'Ref',
  RefCast: 'Ref',
  BrOn: 'Ref',
  RefI31: 'Value',
  I31Get: 'I31',
  Try: 'Body CatchBody*',
  Throw: 'Operand*',
  Rethrow: '',
  TupleMake: 'Operand*',
  TupleExtract: 'Tuple',
  StructNew: 'Operand*',
  StructGet: 'Ref',
  StructSet: 'Ref Value',
  ArrayNew: 'Size Init',
  ArrayNewFixed: 'Value*',
  ArrayNewData: 'Offset Size',
  ArrayNewElem: 'Offset Size',
  ArrayGet: 'Ref Index',
  ArraySet: 'Ref Index Value',
  ArrayLen: 'Ref',
  ArrayFill: 'Ref Index Value Size',
  ArrayCopy: 'DestRef DestIndex SrcRef SrcIndex Length',
  ArrayInitData: 'Ref Index Offset Size',
  ArrayInitElem: 'Ref Index Offset Size',
  StringConst: '',
};

const PLURALS: Readonly<Record<string, string>> = { Child: 'Children', CatchBody: 'CatchBodies' };

type Call = (...args: number[]) => number;

type Slot =
  | { readonly list: false; readonly get: Call; readonly set: Call }
  | { readonly list: true; readonly count: Call; readonly get: Call; readonly set: Call };

/** One function body as arrays; `parents[0]` is -1. */
export interface Tree {
  readonly func: Ref;
  readonly expressions: Ref[];
  readonly ids: number[];
  /** Index of the parent of each node. */
  readonly parents: number[];
  /** Which slot of the parent it stands in, and the position in that slot's list. */
  readonly slots: number[];
  readonly positions: number[];
  /** Does the body hold an expression whose operands binaryen-c.h does not show? */
  opaque: boolean;
}

export class Walker {
  readonly raw: Raw;
  readonly #shapes = new Map<number, readonly Slot[]>();
  readonly #setBody: Call;
  readonly #getBody: Call;

  constructor(binaryen: Binaryen) {
    this.raw = new Raw(binaryen);
    this.#setBody = this.raw.call('FunctionSetBody');
    this.#getBody = this.raw.call('FunctionGetBody');
    for (const [kind, shape] of Object.entries(SHAPES)) {
      const id = this.raw.id(kind);
      if (id >= 0) this.#shapes.set(id, this.#slots(kind, shape));
    }
  }

  #slots(kind: string, shape: string): Slot[] {
    return shape
      .split(' ')
      .filter((word) => word !== '')
      .map((word) => {
        if (!word.endsWith('*')) {
          return { list: false, get: this.raw.call(`${kind}Get${word}`), set: this.raw.call(`${kind}Set${word}`) };
        }
        const one = word.slice(0, -1);
        return {
          list: true,
          count: this.raw.call(`${kind}GetNum${PLURALS[one] ?? `${one}s`}`),
          get: this.raw.call(`${kind}Get${one}At`),
          set: this.raw.call(`${kind}Set${one}At`),
        };
      });
  }

  /**
   * The locals that an expression reads in operands that binaryen-c.h does not show, in flat code, where these are locals and
   * constants. Only its printed form has them.
   */
  hiddenReads(expression: Ref): number[] {
    if (this.#shapes.has(this.raw.getId(expression))) return [];
    const text = this.raw.binaryen.emitText(expression);
    return [...text.matchAll(/\(local\.get \$(\d+)\)/g)].map(([, index]) => Number(index));
  }

  /** The functions that have a body. */
  *functions(module: BinaryenModule): Generator<Ref> {
    const count = module.getNumFunctions();
    for (let index = 0; index < count; index++) {
      const func = module.getFunctionByIndex(index);
      if (this.#getBody(func) !== 0) yield func;
    }
  }

  /** Types of the parameters and variables of a function, by index. */
  locals(func: Ref): Ref[] {
    const { raw } = this;
    const params = raw.binaryen.expandType(raw.call('FunctionGetParams')(func));
    const getVar = raw.call('FunctionGetVar');
    const vars = Array.from({ length: raw.call('FunctionGetNumVars')(func) }, (_, index) => getVar(func, index));
    return [...params, ...vars];
  }

  /** Makes the types of all expressions of a function right again, after some were replaced by others of another type. */
  finalise(func: Ref): void {
    const finalise = this.raw.call('ExpressionFinalize');
    const { expressions } = this.tree(func);
    for (let at = expressions.length - 1; at >= 0; at--) finalise(expressions[at] ?? 0);
  }

  /** Lays out the body of a function. */
  tree(func: Ref): Tree {
    const tree: Tree = { func, expressions: [], ids: [], parents: [], slots: [], positions: [], opaque: false };
    // Pending nodes as quadruples; a stack, so children are pushed last first.
    const pending: number[] = [this.#getBody(func), -1, 0, 0];
    while (pending.length > 0) {
      const position = pending.pop() ?? 0;
      const slot = pending.pop() ?? 0;
      const parent = pending.pop() ?? 0;
      const expression = pending.pop() ?? 0;
      const id = this.raw.getId(expression);
      const at = tree.expressions.length;
      tree.expressions.push(expression);
      tree.ids.push(id);
      tree.parents.push(parent);
      tree.slots.push(slot);
      tree.positions.push(position);
      const shape = this.#shapes.get(id);
      if (shape === undefined) {
        tree.opaque = true;
        continue;
      }
      for (let index = shape.length - 1; index >= 0; index--) {
        const inner = shape[index];
        if (inner === undefined) continue;
        if (!inner.list) {
          const child = inner.get(expression);
          if (child !== 0) pending.push(child, at, index, 0);
          continue;
        }
        for (let child = inner.count(expression) - 1; child >= 0; child--) {
          pending.push(inner.get(expression, child), at, index, child);
        }
      }
    }
    return tree;
  }

  /** Puts `expression` in the place of node `index`. */
  replace(tree: Tree, index: number, expression: Ref): void {
    const parent = tree.parents[index] ?? -1;
    if (parent < 0) {
      this.#setBody(tree.func, expression);
      return;
    }
    const slot = this.#shapes.get(tree.ids[parent] ?? -1)?.[tree.slots[index] ?? 0];
    const holder = tree.expressions[parent] ?? 0;
    if (slot === undefined) return;
    if (slot.list) slot.set(holder, tree.positions[index] ?? 0, expression);
    else slot.set(holder, expression);
  }
}
