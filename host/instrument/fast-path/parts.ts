/**
 * Stacks that go on in parts. A deep stack is put aside as several segments; to resume it, only the innermost one is rewound
 * and goes on. When the function at its bottom returns, the next one is rewound: the call at which it ends is the one of that
 * function, which finds no frame in the window and gives the result that it had.
 *
 *     host                                 guest
 *     enter(id of h)                  ->   h rewinds -> i -> import, goes on; i returns, h returns 7: result = 7
 *     enter(id of f)                  ->   f rewinds -> g -> h: no frame, return result; g goes on with 7
 *
 * So resuming takes native stack for one segment and no more, however deep the stack is, and whatever body its functions go on
 * in. (Native frames of code that has just begun to run are several times as large as those of code that is hot: a stack
 * that was just as deep as the engine bore could not be rewound as a whole.)
 *
 * Every function that saves frames has a number. `push` is told it, so that the host knows which function is at the bottom of a
 * segment, and what a frame of the function is expected to take of the native stack, so that a segment takes little.
 */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { Walker } from '../walk.ts';
import type { Results } from './results.ts';
import { zero } from './zero.ts';

const TABLE = 'wasm-fibers.parts';
/** The export through which the host enters functions. */
export const ENTER = 'wasm-fibers.enter';
/** Begins the names of functions that enter others; a number follows. */
export const PART = 'wasm-fibers.part.';

export class Parts {
  readonly #walker: Walker;
  readonly #module: BinaryenModule;
  readonly #results: Results;
  readonly #setState: (state: number) => Ref;
  readonly #functions: string[] = [];

  constructor(walker: Walker, module: BinaryenModule, results: Results, setState: (state: number) => Ref) {
    this.#walker = walker;
    this.#module = module;
    this.#results = results;
    this.#setState = setState;
  }

  /** @returns the number of the function, from 1 */
  add(func: Ref): number {
    const { raw } = this.#walker;
    const { binaryen } = raw;
    const module = this.#module;
    const name = raw.functionName(func);
    const results = raw.call('FunctionGetResults')(func);
    const types = binaryen.expandType(raw.call('FunctionGetParams')(func));
    // It loads what it needs.
    const call = module.call(
      name,
      types.map((type) => zero(binaryen, module, type)),
      results,
    );
    const vars = binaryen.expandType(results).length > 1 ? [results] : [];
    const body = results === binaryen.none ? call : this.#results.store(results, call, 0);
    const id = this.#functions.length + 1;
    module.addFunction(`${PART}${id}`, binaryen.none, binaryen.none, vars, body);
    this.#functions.push(`${PART}${id}`);
    return id;
  }

  /** Adds the export by which the host enters a function by its number. */
  finish(): void {
    const { i32, none, funcref } = this.#walker.raw.binaryen;
    const module = this.#module;
    const count = this.#functions.length;
    module.addTable(TABLE, count, count, funcref);
    module.addActiveElementSegment(TABLE, TABLE, this.#functions, module.i32.const(0));
    const target = module.i32.sub(module.local.get(0, i32), module.i32.const(1));
    const call = module.call_indirect(TABLE, target, [], none, none);
    const body = module.block(null, [this.#setState(2), call, this.#setState(0)], none);
    module.addFunction(ENTER, i32, none, [], body);
    module.addFunctionExport(ENTER, ENTER);
  }
}
