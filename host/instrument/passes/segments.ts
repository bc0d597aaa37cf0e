/**
 * Lets stacks deeper than the window unwind into it segment by segment, after Asyncify has run.
 *
 * Asyncify moves its position in the window without looking at the end: it writes past it. It does so in two shapes,
 *
 *     push   (i32.store (global.get $data) (i32.add (i32.load (global.get $data)) (i32.const N)))     behind the N bytes it wrote
 *     pop    (i32.store (global.get $data) (i32.sub (i32.load (global.get $data)) (i32.const N)))     before it reads them
 *
 * and the stored value of each becomes a call of the functions in window.ts, which do look.
 */
import { FiberError } from '../../errors.ts';
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { Tree, Walker } from '../walk.ts';
import { addWindowFunctions, DATA, POP, PUSH } from './window.ts';

export interface Segments {
  /** Bytes of the largest push; 0 if nothing was instrumented. */
  readonly largestFrame: number;
  /** The functions that save frames. */
  readonly instrumented: readonly Ref[];
}

export function addSegments(walker: Walker, module: BinaryenModule): Segments {
  const pass = new Matcher(walker);
  const instrumented: Ref[] = [];
  const moves: { push: boolean; size: number; store: Ref }[] = [];
  for (const func of walker.functions(module)) {
    const before = moves.length;
    pass.collect(walker.tree(func), moves);
    if (moves.length > before) instrumented.push(func);
  }
  const largestFrame = moves.reduce((largest, move) => Math.max(largest, move.size), 0);
  addWindowFunctions(walker, module, largestFrame);
  const setValue = walker.raw.call('StoreSetValue');
  for (const { push, size, store } of moves) {
    const operands = push ? [size, 0, 0] : [size];
    const call = module.call(
      push ? PUSH : POP,
      operands.map((operand) => module.i32.const(operand)),
      walker.raw.binaryen.i32,
    );
    setValue(store, call);
  }
  return { largestFrame, instrumented };
}

class Matcher {
  readonly #walker: Walker;
  readonly #ids: Readonly<Record<'store' | 'load' | 'binary' | 'constant' | 'get' | 'drop', number>>;
  readonly #names = new Map<number, boolean>();

  constructor(walker: Walker) {
    this.#walker = walker;
    const { raw } = walker;
    this.#ids = {
      store: raw.id('Store'),
      load: raw.id('Load'),
      binary: raw.id('Binary'),
      constant: raw.id('Const'),
      get: raw.id('GlobalGet'),
      drop: raw.id('Drop'),
    };
  }

  /** Finds every push and pop of a function, and proves that Asyncify's pointer is used in no other way. */
  collect(tree: Tree, moves: { push: boolean; size: number; store: Ref }[]): void {
    const { raw } = this.#walker;
    for (let at = 0; at < tree.ids.length; at++) {
      const id = tree.ids[at];
      const expression = tree.expressions[at] ?? 0;
      if (id === this.#ids.get && this.#isData(expression)) {
        const parent = tree.ids[tree.parents[at] ?? -1];
        if (parent !== this.#ids.load && parent !== this.#ids.store)
          throw this.#unexpected(tree, 'a use of the window');
      }
      if (id !== this.#ids.store || !this.#isData(raw.call('StoreGetPtr')(expression))) continue;
      const move = this.#move(raw.call('StoreGetValue')(expression));
      if (move === null || raw.call('StoreGetOffset')(expression) !== 0)
        throw this.#unexpected(tree, 'a store to the window');
      moves.push({ ...move, store: expression });
    }
  }

  #move(value: Ref): { push: boolean; size: number } | null {
    const { raw } = this.#walker;
    if (raw.getId(value) !== this.#ids.binary) return null;
    const operation = raw.call('BinaryGetOp')(value);
    const load = raw.call('BinaryGetLeft')(value);
    const amount = raw.call('BinaryGetRight')(value);
    if (raw.getId(load) !== this.#ids.load || !this.#isData(raw.call('LoadGetPtr')(load))) return null;
    if (raw.getId(amount) !== this.#ids.constant) return null;
    const size = raw.call('ConstGetValueI32')(amount);
    const sign = operation === raw.call('AddInt32')() ? 1 : operation === raw.call('SubInt32')() ? -1 : 0;
    return sign === 0 || size === 0 ? null : { push: sign * size > 0, size: Math.abs(size) };
  }

  #isData(expression: Ref): boolean {
    const { raw } = this.#walker;
    if (raw.getId(expression) !== this.#ids.get) return false;
    const address = raw.call('GlobalGetGetName')(expression);
    let known = this.#names.get(address);
    if (known === undefined) {
      known = raw.string(address) === DATA;
      this.#names.set(address, known);
    }
    return known;
  }

  #unexpected(tree: Tree, what: string): FiberError {
    return new FiberError(
      'INTERNAL',
      `Asyncify wrote ${what} of an unknown shape in the function "${this.#walker.raw.functionName(tree.func)}". ` +
        'This version of binaryen differs from the one that wasm-fibers was made for (132): npm i -D binaryen@132',
    );
  }
}
