/**
 * Takes the values off branches out of blocks with suspension points in them: they go through a local.
 *
 *     (block $b (result i32)                (block
 *       ... (br_if $b (value) (c)) ...        (block $b
 *       (last))                        ->       ... (block (result i32) (local.set $v (value)) (br_if $b (c)) (local.get $v)) ...
 *                                               (local.set $v (last)))
 *                                             (local.get $v))
 *
 * lower.ts turns a block with points in it into code without a value; what branches to it must not bring one. (Binaryen's pass
 * `flatten` does the same to all code of a function, and aborts on some.)
 */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { Walker } from '../walk.ts';
import type { Shape } from './shape.ts';

/** Thrown for a branch that cannot be rewritten, such as `br_on_cast`; Binaryen cannot bring such code into flat form either. */
export class NotFlat extends Error {
  override readonly name = 'NotFlat';
  /** Binaryen's name of the function. */
  readonly func: string;

  constructor(func: string) {
    super();
    this.func = func;
  }
}

/**
 * @returns false if there was nothing to do; else the shape is out of date
 * @throws NotFlat before anything has changed
 */
export function takeValuesOffBranches(walker: Walker, module: BinaryenModule, func: Ref, shape: Shape): boolean {
  return new Pass(walker, module, func, shape).run();
}

interface Target {
  readonly at: number;
  readonly type: Ref;
  local: number;
}

interface Branch {
  /** The blocks that it may lead to. */
  readonly names: readonly number[];
  readonly isSwitch: boolean;
}

/** No local. */
const NONE = -1;

class Pass {
  readonly #walker: Walker;
  readonly #module: BinaryenModule;
  readonly #func: Ref;
  readonly #shape: Shape;
  /** Blocks with a value and a name, by the address of the name. */
  readonly #blocks = new Map<number, Target>();
  /** Branches with a value. */
  readonly #branches = new Map<number, Branch>();

  constructor(walker: Walker, module: BinaryenModule, func: Ref, shape: Shape) {
    this.#walker = walker;
    this.#module = module;
    this.#func = func;
    this.#shape = shape;
  }

  run(): boolean {
    this.#collect();
    const chosen = this.#choose();
    if (chosen.size === 0) return false;
    const targets = new Map<number, Target>();
    for (const name of chosen) {
      const target = this.#blocks.get(name);
      if (target === undefined) continue;
      target.local = this.#addVar(target.type);
      targets.set(target.at, target);
    }
    // Inner ones first: an outer one takes what it has inside to another place.
    for (let at = this.#shape.tree.ids.length - 1; at >= 0; at--) {
      const branch = this.#branches.get(at);
      if (branch?.names.some((name) => chosen.has(name)) === true) this.#rewriteBranch(at, branch);
      const target = targets.get(at);
      if (target !== undefined) this.#rewriteBlock(target);
    }
    return true;
  }

  #collect(): void {
    const { raw } = this.#walker;
    const shape = this.#shape;
    const block = raw.id('Block');
    const branch = raw.id('Break');
    const table = raw.id('Switch');
    const brOn = raw.id('BrOn');
    for (let at = 0; at < shape.tree.ids.length; at++) {
      const expression = shape.expression(at);
      const id = shape.id(at);
      if (id === block) {
        const name = raw.call('BlockGetName')(expression);
        const type = shape.type(at);
        if (name !== 0 && this.#isValue(type)) this.#blocks.set(name, { at, type, local: NONE });
      } else if (id === branch && raw.call('BreakGetValue')(expression) !== 0) {
        this.#branches.set(at, { names: [raw.call('BreakGetName')(expression)], isSwitch: false });
      } else if (id === table && raw.call('SwitchGetValue')(expression) !== 0) {
        const names = Array.from({ length: raw.call('SwitchGetNumNames')(expression) }, (_, index) =>
          raw.call('SwitchGetNameAt')(expression, index),
        );
        names.push(raw.call('SwitchGetDefaultName')(expression));
        this.#branches.set(at, { names: [...new Set(names)], isSwitch: true });
      } else if (id === brOn) {
        const target = this.#blocks.get(raw.call('BrOnGetName')(expression));
        if (target !== undefined && shape.holds(target.at)) throw new NotFlat(raw.functionName(this.#func));
      }
    }
  }

  #isValue(type: Ref): boolean {
    const { none, unreachable } = this.#walker.raw.binaryen;
    return type !== none && type !== unreachable;
  }

  /** The names of the blocks that must lose their value: those with points, and what shares a table with them. */
  #choose(): Set<number> {
    const chosen = new Set<number>();
    const queue: number[] = [];
    const choose = (name: number): void => {
      if (chosen.has(name) || !this.#blocks.has(name)) return;
      chosen.add(name);
      queue.push(name);
    };
    for (const { names } of this.#branches.values()) {
      for (const name of names) {
        const target = this.#blocks.get(name);
        if (target !== undefined && this.#shape.holds(target.at)) choose(name);
      }
    }
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      for (const { names } of this.#branches.values()) if (names.includes(name)) names.forEach(choose);
    }
    return chosen;
  }

  #rewriteBranch(at: number, { names, isSwitch }: Branch): void {
    const { raw } = this.#walker;
    const module = this.#module;
    const branch = this.#shape.expression(at);
    const kind = isSwitch ? 'Switch' : 'Break';
    const value = raw.call(`${kind}GetValue`)(branch);
    const given = raw.getType(value);
    if (!this.#isValue(given)) {
      // It never comes to the branch.
      this.#walker.replace(this.#shape.tree, at, value);
      return;
    }
    const targets = names.flatMap((name) => this.#blocks.get(name) ?? []);
    const locals = targets.map(({ local }) => local);
    // The value may be of a subtype; where the branch is not taken, it is of the block's type. Blocks of several types take it as it is.
    const [only = given, ...others] = new Set(targets.map(({ type }) => type));
    const type = others.length === 0 ? only : given;
    const { i32 } = raw.binaryen;
    const condition = raw.call(`${kind}GetCondition`)(branch);
    const sets: Ref[] = [];
    let [carrier = NONE] = locals;
    if (others.length > 0) carrier = this.#addVar(type);
    if (condition !== 0 && this.#branchesWithin(this.#shape.children(at).at(-1) ?? at, locals)) {
      // The condition is evaluated between the value and the branch, and may itself leave with another value.
      carrier = this.#addVar(type);
      const decision = this.#addVar(i32);
      sets.push(module.local.set(carrier, value), module.local.set(decision, condition));
      raw.call(`${kind}SetCondition`)(branch, module.local.get(decision, i32));
    } else sets.push(module.local.set(carrier, value));
    const get = (): Ref => module.local.get(carrier, type);
    sets.push(...locals.filter((local) => local !== carrier).map((local) => module.local.set(local, get())));
    raw.call(`${kind}SetValue`)(branch, 0);
    raw.call('ExpressionFinalize')(branch);
    const code = [...sets, branch, ...(!isSwitch && condition !== 0 ? [get()] : [])];
    this.#walker.replace(this.#shape.tree, at, module.block(null, code, raw.binaryen.auto));
  }

  /** Is there a branch in a subtree that brings its value into one of these locals? */
  #branchesWithin(root: number, locals: readonly number[]): boolean {
    const isTaken = (name: number): boolean => locals.includes(this.#blocks.get(name)?.local ?? NONE);
    const end = this.#shape.end(root);
    return [...this.#branches].some(([at, { names }]) => at >= root && at < end && names.some(isTaken));
  }

  #addVar(type: Ref): number {
    return this.#walker.raw.call('FunctionAddVar')(this.#func, type);
  }

  #rewriteBlock({ at, type, local }: Target): void {
    const { raw } = this.#walker;
    const module = this.#module;
    const { auto } = raw.binaryen;
    const block = this.#shape.expression(at);
    const last = raw.call('BlockGetNumChildren')(block) - 1;
    const value = raw.call('BlockGetChildAt')(block, last);
    if (this.#isValue(raw.getType(value))) raw.call('BlockSetChildAt')(block, last, module.local.set(local, value));
    raw.call('ExpressionSetType')(block, raw.binaryen.none);
    raw.call('ExpressionFinalize')(block);
    this.#walker.replace(this.#shape.tree, at, module.block(null, [block, module.local.get(local, type)], auto));
  }
}
