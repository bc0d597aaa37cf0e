/**
 * Functions that can unwind and rewind, and pay next to nothing while nothing suspends.
 *
 * The protocol is Asyncify's, so that the host need not know who rewrote a function: a global says whether code runs (0),
 * unwinds (1) or rewinds (2), another one where the window is.
 *
 *     f(params)
 *       if (state) { load the frame, and jump to the point at which it was saved }
 *       ... the code as its compiler made it; behind each call that may suspend:
 *       if (state) leave
 *       ...
 *       return
 *     leave:
 *       save what is alive, and the number of the point
 *       return a placeholder
 *
 * Asyncify comes back to a point by running the whole function again and skipping every piece of code on the way, so each
 * piece begins with a question for the state, also when nothing has ever suspended. Here a rewinding function jumps
 * (lower.ts). So what runs in the state 0 are the tests behind the calls, which Asyncify has too, one at the beginning of
 * the function, and one at the head of each loop with a suspension point in it, of a local. And a function that was
 * resumed goes on in the very code that had suspended: as fast, and with native frames as large, as before.
 *
 * What was tried before, and was worse: two bodies for each function, Asyncify's own and a copy of it in which all questions
 * are answered "normal" (as fast, but 1.85 times as large, and resumed functions stay slow until their next loop).
 *
 * Invariants:
 * - Entered in state 2, a function runs nothing but its loading before it repeats the call at the point.
 * - What a repeated call is given does not matter to a function of the guest, which loads its own frame. An import gets the
 *   same values again, and an indirect call has the same target.
 */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { Walker } from '../walk.ts';
import { Bodies, RESUMED } from './bodies.ts';
import { takeValuesOffBranches } from './branch-values.ts';
import { isDefinite } from './definite.ts';
import { Frames, type WindowAccess } from './frames.ts';
import { liveBehind } from './liveness.ts';
import { type Lowered, Lowering } from './lower.ts';
import { Parts } from './parts.ts';
import { type Alive, groupPlaces, levelsIn } from './places.ts';
import { Results } from './results.ts';
import { type IsPoint, Shape } from './shape.ts';

export interface FastPathOptions {
  /** Which calls may suspend? */
  readonly isPoint: IsPoint;
  /** Is this function of the guest rewritten too, so that what it is given does not matter while it rewinds? */
  readonly isRewritten: (callee: string) => boolean;
  /** May functions get a second body? */
  readonly mayCopy: boolean;
  readonly state: () => Ref;
  readonly setState: (state: number) => Ref;
  readonly window: WindowAccess;
  /** Told of each expression of a copy of a function. */
  readonly onCopy: (func: Ref, copy: Ref, original: Ref) => void;
}

export interface FastPaths {
  /** Bytes. */
  readonly largestFrame: number;
  readonly functions: number;
  /** Names of functions that would have to save a reference. */
  readonly references: readonly string[];
}

/**
 * @param functions to be rewritten
 * @throws NotFlat
 */
export function addFastPaths(
  walker: Walker,
  module: BinaryenModule,
  functions: readonly Ref[],
  options: FastPathOptions,
): FastPaths {
  const pass = new FastPathPass(walker, module, options);
  for (const func of functions) pass.run(func);
  pass.finish();
  return pass;
}

class FastPathPass implements FastPaths {
  largestFrame = 0;
  functions = 0;
  readonly references: string[] = [];
  readonly #walker: Walker;
  readonly #module: BinaryenModule;
  readonly #options: FastPathOptions;
  readonly #results: Results;
  readonly #parts: Parts;
  readonly #call: number;
  readonly #localGet: number;

  constructor(walker: Walker, module: BinaryenModule, options: FastPathOptions) {
    this.#walker = walker;
    this.#module = module;
    this.#options = options;
    this.#results = new Results(walker, module);
    this.#parts = new Parts(walker, module, this.#results, options.setState);
    const { raw } = walker;
    this.#call = raw.id('Call');
    this.#localGet = raw.id('LocalGet');
  }

  run(func: Ref): void {
    const { raw } = this.#walker;
    const name = raw.functionName(func);
    const { state, window, onCopy } = this.#options;
    const lowered = this.#lower(func);
    if (lowered === null) return;
    raw.call('FunctionSetBody')(func, lowered.body);
    const alive = this.#findAlive(func, lowered);
    // All that could suspend comes after something that never ends.
    if (alive.length === 0) return;
    const places = groupPlaces(this.#walker, this.#walker.locals(func), alive);
    if (places === null) {
      this.references.push(name);
      return;
    }
    const isDouble = this.#options.mayCopy && isWorthTwo(alive);
    const id = this.#parts.add(func);
    const frames = new Frames(this.#walker, this.#module, func, window, this.#nativeBytes(func, isDouble), id);
    const results = this.#results;
    const bodies = new Bodies(this.#walker, this.#module, { func, lowered, frames, state, results, onCopy, ...places });
    if (isDouble) bodies.two();
    else bodies.one();
    // Has such locals be ones that may be null, see definite.ts.
    if (this.#hasDefinite(func)) {
      for (const each of isDouble ? [name, `${RESUMED}${name}`] : [name]) {
        this.#module.runPassesOnFunction(each, ['vacuum']);
      }
    }
    for (const { layout } of places.groups) this.largestFrame = Math.max(this.largestFrame, layout.size);
    this.functions++;
  }

  finish(): void {
    this.#parts.finish();
  }

  #hasDefinite(func: Ref): boolean {
    const { raw } = this.#walker;
    const types = this.#walker.locals(func).flatMap((type) => raw.binaryen.expandType(type));
    return types.some((type) => isDefinite(raw, type));
  }

  /** What one call takes of the native stack while it is resumed, at the most: code that has just begun to run keeps all locals there. */
  #nativeBytes(func: Ref, isDouble: boolean): number {
    const frame = NATIVE_FRAME + NATIVE_LOCAL * this.#walker.locals(func).length;
    return isDouble ? 2 * frame : frame;
  }

  /** Null if nothing in it can suspend. */
  #lower(func: Ref): Lowered | null {
    const shape = (): Shape => new Shape(this.#walker, this.#walker.tree(func), this.#options.isPoint);
    let now = shape();
    if (!now.holds(0)) return null;
    if (takeValuesOffBranches(this.#walker, this.#module, func, now)) now = shape();
    return new Lowering(this.#walker, this.#module, func, now, this.#options.state).run();
  }

  #findAlive(func: Ref, { outermost }: Lowered): Alive[] {
    const levels = [...levelsIn(outermost)];
    const calls = new Set(levels.flatMap(({ points }) => points.map(({ call }) => call)));
    const live = liveBehind(this.#walker, this.#walker.tree(func), this.#walker.locals(func).length, calls);
    return levels.flatMap((level) =>
      level.points.map((point) => {
        const saved = new Set([...(live.get(point.call) ?? []), ...this.#replayed(point.call)]);
        saved.delete(point.result);
        return { point, level, live: saved };
      }),
    );
  }

  /** The locals that a call must be given again when it is repeated. */
  #replayed(call: Ref): number[] {
    const { raw } = this.#walker;
    const isDirect = raw.getId(call) === this.#call;
    if (isDirect && this.#options.isRewritten(raw.string(raw.call('CallGetTarget')(call)))) return [];
    const kind = isDirect ? 'Call' : 'CallIndirect';
    const operands = Array.from({ length: raw.call(`${kind}GetNumOperands`)(call) }, (_, index) =>
      raw.call(`${kind}GetOperandAt`)(call, index),
    );
    if (!isDirect) operands.push(raw.call('CallIndirectGetTarget')(call));
    return operands
      .filter((each) => raw.getId(each) === this.#localGet)
      .map((each) => raw.call('LocalGetGetIndex')(each));
  }
}

/**
 * Does a function gain by a body without jumps? Where there are no loops, a call costs more than what it makes the compiler
 * forget. TWO_FROM was chosen on a Lua interpreter: see docs/costs.md.
 */
function isWorthTwo(alive: readonly Alive[]): boolean {
  let forgotten = 0;
  for (const { level, live } of alive) if (level.kind !== 'function') forgotten += live.size;
  return forgotten >= TWO_FROM;
}

/** Bytes. */
const NATIVE_FRAME = 96;
const NATIVE_LOCAL = 8;

/** Values that are alive at suspension points in loops. */
const TWO_FROM = 16;
