/**
 * Counts the catch bodies that the guest is in, for legacy exception handling. A suspension inside a catch body cannot be
 * resumed: the exception that is being handled is not in the frame. The host asks for the depth at an import and throws
 * SUSPEND_IN_CATCH if it is not 0, before anything has unwound.
 *
 * Invariant: between calls the global equals `entry`, its value when the function was entered. Only around a call in a
 * catch body is it `entry + 1`, so that everything below that call sees a depth above 0. Whatever way an exception took,
 * the catch body that it ends in sets the global to `entry` first, and so does every normal end of a wrapped call: no
 * exit, branch, rethrow or delegate needs code of its own.
 */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { Tree, Walker } from '../walk.ts';

const DEPTH = 'wasm-fibers.catch_depth';
/** Position of the catch bodies in the shape of a `Try`, see walk.ts. */
const CATCH_SLOT = 1;

/**
 * @param mayReach may this function, by its internal name, be or reach a suspending import?
 */
export function addCatchDepth(walker: Walker, module: BinaryenModule, mayReach: (name: string) => boolean): void {
  const { i32, none } = walker.raw.binaryen;
  module.addGlobal(DEPTH, i32, true, module.i32.const(0));
  for (const func of walker.functions(module)) {
    const tree = walker.tree(func);
    const pass = new CatchPass(walker, module, tree, mayReach);
    if (pass.hasCatchBodies) pass.run();
  }
  module.addFunction('wasm-fibers.get_catch_depth', none, i32, [], module.global.get(DEPTH, i32));
  module.addFunction('wasm-fibers.set_catch_depth', i32, none, [], module.global.set(DEPTH, module.local.get(0, i32)));
  module.addFunctionExport('wasm-fibers.get_catch_depth', 'wasm-fibers.get_catch_depth');
  module.addFunctionExport('wasm-fibers.set_catch_depth', 'wasm-fibers.set_catch_depth');
}

class CatchPass {
  readonly hasCatchBodies: boolean;
  readonly #walker: Walker;
  readonly #module: BinaryenModule;
  readonly #tree: Tree;
  readonly #mayReach: (name: string) => boolean;
  /** Index of the innermost catch body around each node (itself, if it is one); -1 outside. */
  readonly #body: number[] = [];
  readonly #ids: Readonly<Record<'pop' | 'call' | 'callIndirect' | 'callRef', number>>;
  #entry = 0;

  constructor(walker: Walker, module: BinaryenModule, tree: Tree, mayReach: (name: string) => boolean) {
    this.#walker = walker;
    this.#module = module;
    this.#tree = tree;
    this.#mayReach = mayReach;
    const { raw } = walker;
    this.#ids = {
      pop: raw.id('Pop'),
      call: raw.id('Call'),
      callIndirect: raw.id('CallIndirect'),
      callRef: raw.id('CallRef'),
    };
    const tryId = raw.id('Try');
    let found = false;
    for (let at = 0; at < tree.ids.length; at++) {
      const parent = tree.parents[at] ?? -1;
      const isBody = parent >= 0 && tree.ids[parent] === tryId && tree.slots[at] === CATCH_SLOT;
      this.#body.push(isBody ? at : parent < 0 ? -1 : (this.#body[parent] ?? -1));
      found ||= isBody;
    }
    this.hasCatchBodies = found;
  }

  run(): void {
    const { raw } = this.#walker;
    const { i32 } = raw.binaryen;
    const addVar = raw.call('FunctionAddVar');
    const { func } = this.#tree;
    this.#entry = addVar(func, i32);
    // The value that a catch body receives must be popped first of all: it goes into a local, so that code may precede its use.
    const popped = new Map<number, { pop: Ref; local: number }>();
    for (let at = this.#tree.ids.length - 1; at >= 0; at--) {
      const id = this.#tree.ids[at];
      const body = this.#body[at] ?? -1;
      const expression = this.#tree.expressions[at] ?? 0;
      let now = expression;
      if (id === this.#ids.pop) {
        const type = raw.getType(expression);
        const local = addVar(func, type);
        popped.set(body, { pop: expression, local });
        now = this.#module.local.get(local, type);
      } else if (body >= 0 && this.#suspends(id, expression)) now = this.#wrap(id, expression);
      if (body === at) {
        const value = popped.get(at);
        const first = value === undefined ? [] : [this.#module.local.set(value.local, value.pop)];
        now = this.#module.block(null, [...first, this.#set(0), now], this.#walker.raw.binaryen.auto);
      }
      if (now !== expression) this.#walker.replace(this.#tree, at, now);
    }
    const code = raw.call('FunctionGetBody')(func);
    const enter = this.#module.local.set(this.#entry, this.#module.global.get(DEPTH, i32));
    raw.call('FunctionSetBody')(func, this.#module.block(null, [enter, code], this.#walker.raw.binaryen.auto));
  }

  #suspends(id: number | undefined, expression: Ref): boolean {
    const { raw } = this.#walker;
    if (id === this.#ids.callIndirect || id === this.#ids.callRef) return true;
    return id === this.#ids.call && this.#mayReach(raw.string(raw.call('CallGetTarget')(expression)));
  }

  /** `entry + above` into the global. */
  #set(above: 0 | 1): Ref {
    const module = this.#module;
    const entry = module.local.get(this.#entry, this.#walker.raw.binaryen.i32);
    return module.global.set(DEPTH, above === 0 ? entry : module.i32.add(entry, module.i32.const(above)));
  }

  /** The call with the depth raised between the evaluation of its last operand and its return. */
  #wrap(id: number | undefined, call: Ref): Ref {
    const { raw } = this.#walker;
    const module = this.#module;
    const type = raw.getType(call);
    if (type === raw.binaryen.unreachable) return call;
    const kind = id === this.#ids.call ? 'Call' : id === this.#ids.callIndirect ? 'CallIndirect' : 'CallRef';
    const operands = raw.call(`${kind}GetNumOperands`)(call);
    const before: Ref[] = [];
    if (kind === 'Call' && operands === 0) before.push(this.#set(1));
    else if (kind === 'Call') {
      const last = raw.call('CallGetOperandAt')(call, operands - 1);
      raw.call('CallSetOperandAt')(call, operands - 1, this.#thenRaise(last));
    } else raw.call(`${kind}SetTarget`)(call, this.#thenRaise(raw.call(`${kind}GetTarget`)(call)));
    if (type === raw.binaryen.none)
      return module.block(null, [...before, call, this.#set(0)], this.#walker.raw.binaryen.auto);
    const result = raw.call('FunctionAddVar')(this.#tree.func, type);
    return module.block(
      null,
      [...before, module.local.set(result, call), this.#set(0), module.local.get(result, type)],
      this.#walker.raw.binaryen.auto,
    );
  }

  #thenRaise(operand: Ref): Ref {
    const { raw } = this.#walker;
    const type = raw.getType(operand);
    const local = raw.call('FunctionAddVar')(this.#tree.func, type);
    const module = this.#module;
    return module.block(
      null,
      [module.local.set(local, operand), this.#set(1), module.local.get(local, type)],
      this.#walker.raw.binaryen.auto,
    );
  }
}
