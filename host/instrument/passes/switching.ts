/** The state of a guest and the exports by which the host changes it, as Asyncify makes them. */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import { addFastPaths, type FastPathOptions, type FastPaths } from '../fast-path/fast-path.ts';
import { addGuards } from '../fast-path/guards.ts';
import type { Walker } from '../walk.ts';
import { type NamedWait, writeWaitFunctions } from './waits.ts';
import { addWindowFunctions, DATA, PUSH, TOP } from './window.ts';

const STATE = '__asyncify_state';

export interface Switching {
  readonly largestFrame: number;
  readonly instrumented: number;
  readonly references: readonly string[];
}

/**
 * @param functions to be rewritten
 * @param leftOut those that may suspend nevertheless
 * @param waits the functions in the place of suspending imports
 */
export function addSwitching(
  walker: Walker,
  module: BinaryenModule,
  functions: readonly Ref[],
  leftOut: readonly Ref[],
  waits: readonly NamedWait[],
  options: Omit<FastPathOptions, 'state' | 'setState' | 'window'>,
): Switching {
  const { i32, none, auto } = walker.raw.binaryen;
  for (const name of [STATE, DATA]) module.addGlobal(name, i32, true, module.i32.const(0));
  const state = (): Ref => module.global.get(STATE, i32);
  const data = (): Ref => module.global.get(DATA, i32);
  const set = (to: number): Ref => module.global.set(STATE, module.i32.const(to));
  const paths: FastPaths = addFastPaths(walker, module, functions, {
    ...options,
    state,
    setState: set,
    window: {
      data,
      top: () => module.call(TOP, [], i32),
      push: (...operands) =>
        module.call(
          PUSH,
          operands.map((operand) => module.i32.const(operand)),
          i32,
        ),
    },
  });
  addGuards(walker, module, leftOut, options.isPoint, state);
  writeWaitFunctions(walker, module, waits, { state, setState: set, data });
  addWindowFunctions(walker, module, paths.largestFrame);
  const enter = (to: number): Ref =>
    module.block(null, [set(to), module.global.set(DATA, module.local.get(0, i32))], auto);
  const control = (name: string, params: Ref, body: Ref, results: Ref = none): void => {
    module.addFunction(`asyncify_${name}`, params, results, [], body);
    module.addFunctionExport(`asyncify_${name}`, `asyncify_${name}`);
  };
  control('start_unwind', i32, enter(1));
  control('stop_unwind', none, set(0));
  control('start_rewind', i32, enter(2));
  control('stop_rewind', none, set(0));
  control('get_state', none, state(), i32);
  return { largestFrame: paths.largestFrame, instrumented: paths.functions, references: paths.references };
}
