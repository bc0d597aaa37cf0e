/**
 * From a lowered body (lower.ts) to functions. `state` is the global that says whether code runs, unwinds or rewinds.
 *
 * One body, where that costs little:
 *
 *     f(params)      if (state) { load the frame; jump to the point where it was saved }
 *                    ...
 *
 * A jump into the middle of code makes optimising compilers forget where a value is: every value that is alive there may come
 * from the frame. So functions that lose by it have the jumps in a body of their own, and what runs until the first
 * suspension has none:
 *
 *     f(params)      if (state) return resumed(params)
 *                    ...
 *     resumed(...)   load the frame; jump to the point where it was saved
 *                    ...
 *
 * A function that was resumed goes on in `resumed` until it returns; whatever it calls begins in the body without jumps.
 *
 * Invariant: f returns at once what `resumed` returns, whatever the state is then. So one call of f has at most one frame in
 * the window, saved by the body that runs, and both bodies save and load the same frames.
 */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { Walker } from '../walk.ts';
import type { Frames } from './frames.ts';
import type { Group } from './layout.ts';
import type { Level, Lowered } from './lower.ts';
import { levelsIn, type Place } from './places.ts';
import type { Results } from './results.ts';
import { zero } from './zero.ts';

/** The name of a second body is this, and the name of its function. */
export const RESUMED = 'wasm-fibers.resumed:';

/** What a function is made of. */
export interface Ingredients {
  readonly func: Ref;
  readonly lowered: Lowered;
  readonly frames: Frames;
  readonly state: () => Ref;
  readonly results: Results;
  readonly places: readonly Place[];
  readonly groups: readonly Group[];
  /** Told of each expression of a copy. */
  readonly onCopy: (func: Ref, copy: Ref, original: Ref) => void;
}

/** What an expression of the lowered body is in a copy of it. */
type InCopy = (expression: Ref) => Ref;

export class Bodies {
  readonly #walker: Walker;
  readonly #module: BinaryenModule;
  readonly #parts: Ingredients;

  constructor(walker: Walker, module: BinaryenModule, parts: Ingredients) {
    this.#walker = walker;
    this.#module = module;
    this.#parts = parts;
  }

  /** Makes the lowered body one that runs, unwinds and rewinds. */
  one(): void {
    const { func, lowered, state } = this.#parts;
    this.#addJumps(state(), (expression) => expression);
    this.#finish(func, lowered.body, (expression) => expression);
  }

  /** Makes the lowered body one that runs and unwinds, and a copy of it one that rewinds. */
  two(): void {
    const { func, lowered, state } = this.#parts;
    const { copy, inCopy } = this.#copy();
    // It is only called while the guest rewinds, so all that comes before the points is in no way reached and is dropped.
    this.#addJumps(this.#module.i32.const(1), inCopy);
    this.#finish(copy, this.#bodyOf(copy), inCopy);
    this.#fill(lowered.outermost.entry, state(), [this.#returnResumed()]);
    this.#finish(func, lowered.body, (expression) => expression);
  }

  #copy(): { copy: Ref; inCopy: InCopy } {
    const { raw } = this.#walker;
    const { func, onCopy } = this.#parts;
    const copied = raw.call('ExpressionCopy')(this.#bodyOf(func), this.#module.ptr);
    const getVar = raw.call('FunctionGetVar');
    const vars = Array.from({ length: raw.call('FunctionGetNumVars')(func) }, (_, index) => getVar(func, index));
    const params = raw.call('FunctionGetParams')(func);
    const results = raw.call('FunctionGetResults')(func);
    const copy = this.#module.addFunction(`${RESUMED}${raw.functionName(func)}`, params, results, vars, copied);
    const { expressions } = this.#walker.tree(copy);
    const copies = new Map<Ref, Ref>();
    for (const [at, original] of this.#walker.tree(func).expressions.entries()) {
      const expression = expressions[at] ?? 0;
      copies.set(original, expression);
      onCopy(copy, expression, original);
    }
    return { copy, inCopy: (expression) => copies.get(expression) ?? 0 };
  }

  #bodyOf(func: Ref): Ref {
    return this.#walker.raw.call('FunctionGetBody')(func);
  }

  /** There is no frame: the function has run without its callers, and has returned. */
  #returnResult(): Ref {
    const { raw } = this.#walker;
    const type = raw.call('FunctionGetResults')(this.#parts.func);
    return this.#module.return(type === raw.binaryen.none ? undefined : this.#parts.results.load(type));
  }

  /** Goes on in the other body, which loads what it needs: what it is given does not matter. */
  #returnResumed(): Ref {
    const { raw } = this.#walker;
    const module = this.#module;
    const { func } = this.#parts;
    const types = raw.binaryen.expandType(raw.call('FunctionGetParams')(func));
    const results = raw.call('FunctionGetResults')(func);
    const operands = types.map((type, index) => module.local.get(index, type));
    const call = module.call(`${RESUMED}${raw.functionName(func)}`, operands, results);
    if (results !== raw.binaryen.none) return module.return(call);
    return module.block(null, [call, module.return()], raw.binaryen.auto);
  }

  /** @param rewinds is the function entered to load a frame? */
  #addJumps(rewinds: Ref, inCopy: InCopy): void {
    const { lowered, frames, groups } = this.#parts;
    const { outermost } = lowered;
    for (const level of levelsIn(outermost)) {
      const code = this.#jump(level);
      if (level === outermost)
        this.#fill(inCopy(level.entry), rewinds, [...frames.load(groups, this.#returnResult()), ...code]);
      else if (code.length > 0) this.#fill(inCopy(level.entry), frames.place(), code);
    }
  }

  #fill(entry: Ref, condition: Ref, code: readonly Ref[]): void {
    const { raw } = this.#walker;
    raw.call('IfSetCondition')(entry, condition);
    raw.call('IfSetIfTrue')(entry, this.#module.block(null, code, raw.binaryen.auto));
  }

  /** From the beginning of a level to the place whose number is known, or to the level inside of it where that is. */
  #jump(level: Level): Ref[] {
    const { frames, places } = this.#parts;
    const module = this.#module;
    const through: Ref[] = [];
    for (const inner of level.inner) {
      const within = new Set(levelsIn(inner));
      const numbers = places.filter((place) => within.has(place.level)).map(({ number }) => number);
      const [first] = numbers;
      if (first === undefined) continue;
      const offset = module.i32.sub(frames.place(), module.i32.const(first));
      const isWithin = module.i32.lt_u(offset, module.i32.const(numbers.length));
      through.push(module.br_if(inner.label, isWithin));
    }
    const direct = places.filter((place) => place.level === level);
    const [first] = direct;
    if (first === undefined) return through;
    const labels = direct.map(({ point }) => point.label);
    return [...through, ...frames.arrive(labels, first.number)];
  }

  /** Around the code: what runs when it unwinds. */
  #finish(func: Ref, code: Ref, inCopy: InCopy): void {
    const { raw } = this.#walker;
    const module = this.#module;
    const { none, i32, auto } = raw.binaryen;
    const { places, groups, frames } = this.#parts;
    for (const { point, group, number } of places) {
      const leave = module.br(labelOf(group), undefined, module.i32.const(number));
      raw.call('IfSetIfTrue')(inCopy(point.leave), leave);
    }
    const results = raw.call('FunctionGetResults')(func);
    let body = code;
    for (const group of groups) {
      const end = results === none ? module.return() : module.return(zero(raw.binaryen, module, results));
      const number = module.block(labelOf(group.index), [body], i32);
      body = module.block(null, [...frames.save(group, number), end], auto);
    }
    raw.call('FunctionSetBody')(func, body);
  }
}

const labelOf = (group: number): string => `wasm-fibers.unwind.${group}`;
