/**
 * Rewrites a body so that it can be entered again at each of its suspension points, by a jump.
 *
 * Wasm can only jump out of blocks, never into them. So all code that comes before a point on its level is put into a block
 * that ends at the point; a jump from the very beginning of the level then leads there, past everything:
 *
 *     before                 block $point2
 *     call point1      ->      block $point1
 *     between                    if (frame) { load what is alive; br_table $point1 $point2 }
 *     call point2                before
 *     behind                   end
 *                              call point1; if (state) unwind
 *                              between
 *                            end
 *                            call point2; if (state) unwind
 *                            behind
 *
 * Branches that bring a value to a block with points must have lost it (branch-values.ts).
 *
 * A level is a function body, the body of a loop with points in it, or that of a `try`: a jump cannot enter these, so it leads to
 * their beginning, where the next one is. Blocks and arms of `if` are no levels: an `if` with points in it becomes branches.
 *
 * Values on the operand stack at a point are put into temporary locals first, in the order in which they are evaluated, and
 * nothing but that moves: what is between two points stays as its compiler made it. Operands of a point are constants and
 * locals, since they are evaluated again when it is entered.
 */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { Walker } from '../walk.ts';
import { isDefinite, nullable } from './definite.ts';
import type { Shape } from './shape.ts';

/** A call that may suspend. */
export interface Point {
  readonly call: Ref;
  /** Where a jump leads that is to repeat it. */
  readonly label: string;
  /** The local that takes its result; -1 if none does. */
  readonly result: number;
  /** The `if` behind it that unwinds; its arm is still to be given. */
  readonly leave: Ref;
}

export interface Level {
  readonly kind: 'function' | 'loop' | 'try';
  /** Where a jump leads that is to enter it; none for the outermost. */
  readonly label: string;
  /** The points that are directly in it, and the levels. */
  readonly points: Point[];
  readonly inner: Level[];
  /** The `if` at its beginning, which is still to be given its condition and its arms. */
  readonly entry: Ref;
}

export interface Lowered {
  readonly body: Ref;
  readonly outermost: Level;
}

export class Lowering {
  readonly #walker: Walker;
  readonly #module: BinaryenModule;
  readonly #func: Ref;
  readonly #shape: Shape;
  readonly #state: () => Ref;
  readonly #ids: Kinds;
  readonly #outermost: Level;
  /** Temporaries that no statement uses, by type. */
  readonly #free = new Map<Ref, number[]>();
  readonly #taken: { type: Ref; local: number }[] = [];
  /** The code of the level so far. */
  #code: Ref[] = [];
  #level: Level;
  #labels = 0;

  constructor(walker: Walker, module: BinaryenModule, func: Ref, shape: Shape, state: () => Ref) {
    this.#walker = walker;
    this.#module = module;
    this.#func = func;
    this.#shape = shape;
    this.#state = state;
    this.#ids = kindsOf(walker);
    this.#outermost = this.#level = this.#openLevel('function', '');
  }

  run(): Lowered {
    const { raw } = this.#walker;
    const module = this.#module;
    const results = raw.call('FunctionGetResults')(this.#func);
    if (results === raw.binaryen.none) {
      this.#statement(0);
      this.#code.push(module.return());
    } else {
      const value = this.#value(0);
      this.#code.push(raw.getType(value) === raw.binaryen.unreachable ? value : module.return(value));
    }
    return { body: this.#block(null, this.#code), outermost: this.#outermost };
  }

  // Levels and labels.

  #openLevel(kind: Level['kind'], label: string): Level {
    const module = this.#module;
    const entry = module.if(module.i32.const(0), module.nop());
    this.#level = { kind, label, points: [], inner: [], entry };
    this.#code = [entry];
    return this.#level;
  }

  /** Runs `inside` on a level of its own, and gives its code; a jump can lead to the place where that will stand. */
  #inner(kind: Level['kind'], inside: () => void): Ref[] {
    const outer = this.#level;
    const label = this.#label('level');
    const before = [this.#block(label, this.#code)];
    outer.inner.push(this.#openLevel(kind, label));
    inside();
    const code = this.#code;
    this.#code = before;
    this.#level = outer;
    return code;
  }

  #label(kind: string): string {
    return `wasm-fibers.${kind}.${this.#labels++}`;
  }

  #block(label: string | null, code: readonly Ref[]): Ref {
    return this.#module.block(label, code, this.#walker.raw.binaryen.auto);
  }

  // Temporary locals: taken inside of a statement, free behind it.

  #temporary(type: Ref): number {
    const local = this.#free.get(type)?.pop() ?? this.#walker.raw.call('FunctionAddVar')(this.#func, type);
    this.#taken.push({ type, local });
    return local;
  }

  #releaseTo(mark: number): void {
    for (const { type, local } of this.#taken.splice(mark)) {
      const free = this.#free.get(type);
      if (free === undefined) this.#free.set(type, [local]);
      else free.push(local);
    }
  }

  // Expressions.

  /** Does the code so far never come to its end? What follows is dropped: a point in it would have nothing to jump over. */
  #isDead(): boolean {
    const { raw } = this.#walker;
    const last = this.#code.at(-1);
    return last !== undefined && raw.getType(last) === raw.binaryen.unreachable;
  }

  /** Appends an expression that leaves nothing on the operand stack. */
  #statement(at: number): void {
    if (this.#isDead()) return;
    const shape = this.#shape;
    const { raw } = this.#walker;
    if (!shape.holds(at)) {
      this.#code.push(shape.expression(at));
      return;
    }
    const mark = this.#taken.length;
    const expression = shape.expression(at);
    const [only = -1] = shape.children(at);
    switch (shape.id(at)) {
      case this.#ids.block:
        for (const child of shape.children(at)) this.#statement(child);
        this.#closeBlock(at);
        break;
      case this.#ids.if:
        this.#if(at, (arm) => this.#statement(arm));
        break;
      case this.#ids.loop:
        this.#loop(at, (body) => this.#statement(body));
        break;
      case this.#ids.try:
        this.#try(at, (body) => this.#statement(body));
        break;
      case this.#ids.localSet:
        if (shape.isPoint(only) && raw.call('LocalSetIsTee')(expression) === 0) {
          // While it unwinds, the local that takes the result is given a placeholder.
          const result = raw.call('LocalSetGetIndex')(expression);
          if (this.#operands(only, result)) this.#point(only, result, expression);
          break;
        }
        this.#ordinary(at);
        break;
      case this.#ids.drop:
        if (shape.isPoint(only)) {
          if (this.#operands(only)) this.#point(only, -1, expression);
          break;
        }
        this.#ordinary(at);
        break;
      default:
        if (!shape.isPoint(at)) this.#ordinary(at);
        else if (this.#operands(at)) this.#point(at, -1, expression);
    }
    this.#releaseTo(mark);
  }

  #ordinary(at: number): void {
    if (this.#operands(at)) this.#code.push(this.#shape.expression(at));
  }

  /**
   * Appends what must be evaluated before, and gives the value: an expression that is still to be evaluated. It is
   * `unreachable` if there will never be one.
   */
  #value(at: number): Ref {
    if (this.#isDead()) return this.#module.unreachable();
    const { raw } = this.#walker;
    const { unreachable } = raw.binaryen;
    const shape = this.#shape;
    const expression = shape.expression(at);
    if (!shape.holds(at)) return expression;
    const type = shape.type(at);
    if (this.#isControl(shape.id(at))) {
      if (type === unreachable) {
        this.#statement(at);
        return this.#module.unreachable();
      }
      const local = this.#temporary(type);
      this.#assign(at, local, type);
      return this.#isDead() ? this.#module.unreachable() : this.#module.local.get(local, type);
    }
    if (!this.#operands(at)) return this.#module.unreachable();
    if (!shape.isPoint(at)) return expression;
    const local = this.#temporary(type);
    this.#point(at, local, this.#module.local.set(local, expression));
    return this.#module.local.get(local, type);
  }

  #isControl(id: number): boolean {
    return id === this.#ids.block || id === this.#ids.if || id === this.#ids.loop || id === this.#ids.try;
  }

  /** Appends an expression whose value goes into a local. */
  #assign(at: number, local: number, type: Ref): void {
    if (this.#isDead()) return;
    const { raw } = this.#walker;
    const shape = this.#shape;
    const set = (value: Ref): Ref => this.#module.local.set(local, value);
    if (shape.type(at) === raw.binaryen.unreachable) {
      this.#statement(at);
      return;
    }
    if (!shape.holds(at)) {
      this.#code.push(set(shape.expression(at)));
      return;
    }
    const mark = this.#taken.length;
    switch (shape.id(at)) {
      case this.#ids.block: {
        const children = shape.children(at);
        const last = children.pop() ?? -1;
        for (const child of children) this.#statement(child);
        this.#assign(last, local, type);
        this.#closeBlock(at);
        break;
      }
      case this.#ids.if:
        this.#if(at, (arm) => this.#assign(arm, local, type));
        break;
      case this.#ids.loop:
        this.#loop(at, (body) => this.#assign(body, local, type));
        break;
      case this.#ids.try: {
        const expression = shape.expression(at);
        for (let index = raw.call('TryGetNumCatchBodies')(expression) - 1; index >= 0; index--) {
          const body = raw.call('TryGetCatchBodyAt')(expression, index);
          if (raw.getType(body) !== raw.binaryen.unreachable) {
            raw.call('TrySetCatchBodyAt')(expression, index, this.#setLast(body, local));
          }
        }
        this.#try(at, (body) => this.#assign(body, local, type));
        break;
      }
      default: {
        const value = this.#value(at);
        this.#code.push(raw.getType(value) === raw.binaryen.unreachable ? value : set(value));
      }
    }
    this.#releaseTo(mark);
  }

  /**
   * A catch body whose value goes into a local: what it receives has to be taken first of all in it, which it would not be inside of
   * an instruction that takes the value of the whole.
   */
  #setLast(body: Ref, local: number): Ref {
    const { raw } = this.#walker;
    const module = this.#module;
    if (raw.getId(body) !== this.#ids.block || raw.call('BlockGetName')(body) !== 0)
      return module.local.set(local, body);
    const children = Array.from({ length: raw.call('BlockGetNumChildren')(body) }, (_, index) =>
      raw.call('BlockGetChildAt')(body, index),
    );
    const last = children.pop();
    if (last === undefined) return body;
    return module.block(null, [...children, module.local.set(local, last)], raw.binaryen.none);
  }

  /** The label of a block is around all code of the level up to its end, which does no harm: nothing before it knows the label. */
  #closeBlock(at: number): void {
    const { raw } = this.#walker;
    const name = raw.call('BlockGetName')(this.#shape.expression(at));
    if (name !== 0) this.#code = [this.#block(raw.string(name), this.#code)];
  }

  #if(at: number, arm: (at: number) => void): void {
    const { raw } = this.#walker;
    const module = this.#module;
    const [condition = -1, first = -1, second = -1] = this.#shape.children(at);
    const value = this.#value(condition);
    if (raw.getType(value) === raw.binaryen.unreachable) {
      this.#code.push(value);
      return;
    }
    const join = this.#label('join');
    const otherwise = second < 0 ? join : this.#label('else');
    this.#code.push(module.br_if(otherwise, module.i32.eqz(value)));
    arm(first);
    if (second >= 0) {
      this.#code.push(module.br(join));
      this.#code = [this.#block(otherwise, this.#code)];
      arm(second);
    }
    this.#code = [this.#block(join, this.#code)];
  }

  #loop(at: number, inside: (body: number) => void): void {
    const { raw } = this.#walker;
    const [body = -1] = this.#shape.children(at);
    const name = raw.call('LoopGetName')(this.#shape.expression(at));
    const code = this.#inner('loop', () => inside(body));
    this.#code.push(this.#module.loop(name === 0 ? null : raw.string(name), this.#block(null, code)));
  }

  #try(at: number, inside: (body: number) => void): void {
    const { raw } = this.#walker;
    const expression = this.#shape.expression(at);
    const body = this.#shape.child(at, 0);
    const code = this.#inner('try', () => inside(body));
    raw.call('TrySetBody')(expression, this.#block(null, code));
    raw.call('ExpressionFinalize')(expression);
    this.#code.push(expression);
  }

  /**
   * Appends what the operands need before the expression itself can be evaluated.
   *
   * @param overwritten the local that takes the result of a suspension point; what it held before is needed again
   * @returns false if it never will be: one of its operands does not end
   */
  #operands(at: number, overwritten: number = -1): boolean {
    const { raw } = this.#walker;
    const shape = this.#shape;
    const children = shape.children(at);
    const isPoint = shape.isPoint(at);
    const last = isPoint ? children.length - 1 : children.findLastIndex((child) => shape.holds(child));
    for (let index = 0; index <= last; index++) {
      const child = children[index] ?? -1;
      const later = children.slice(index + 1, last + 1);
      const value = this.#value(child);
      const type = raw.getType(value);
      if (type === raw.binaryen.unreachable) {
        this.#code.push(value);
        return false;
      }
      const stays = index === last && !isPoint ? true : this.#isLasting(value, later, overwritten);
      const again = isPoint && this.#isDefinite(value, type);
      const operand = again ? this.#keep(value, nullable(raw, type)) : stays ? value : this.#keep(value, type);
      if (operand !== shape.expression(child)) this.#walker.replace(shape.tree, child, operand);
    }
    return true;
  }

  /** May it be evaluated later, or again? */
  #isLasting(value: Ref, later: readonly number[], overwritten: number): boolean {
    const { raw } = this.#walker;
    const id = raw.getId(value);
    // A local for a function reference could not be null, which engines without typed references do not know.
    if (id === this.#ids.constant || id === this.#ids.refFunc || id === this.#ids.refNull) return true;
    if (id !== this.#ids.localGet) return false;
    const local = raw.call('LocalGetGetIndex')(value);
    return local !== overwritten && !later.some((at) => this.#shape.sets(at, local));
  }

  /** The functions of the guest take it as well if it is null, or refuse.ts would have refused them. */
  #isDefinite(value: Ref, type: Ref): boolean {
    const { raw } = this.#walker;
    return (
      raw.binaryen.expandType(type).length === 1 && isDefinite(raw, type) && raw.getId(value) !== this.#ids.refFunc
    );
  }

  #keep(value: Ref, type: Ref): Ref {
    const local = this.#temporary(type);
    this.#code.push(this.#module.local.set(local, value));
    return this.#module.local.get(local, type);
  }

  /** @param statement the call, or what takes its result */
  #point(at: number, result: number, statement: Ref): void {
    const module = this.#module;
    const call = this.#shape.expression(at);
    const label = this.#label('point');
    const leave = module.if(this.#state(), module.nop());
    this.#level.points.push({ call, label, result, leave });
    this.#code = [this.#block(label, this.#code), statement, leave];
  }
}

type Kinds = Readonly<
  Record<
    'block' | 'if' | 'loop' | 'try' | 'localSet' | 'localGet' | 'constant' | 'refFunc' | 'refNull' | 'drop',
    number
  >
>;

function kindsOf({ raw }: Walker): Kinds {
  return {
    block: raw.id('Block'),
    if: raw.id('If'),
    loop: raw.id('Loop'),
    try: raw.id('Try'),
    localSet: raw.id('LocalSet'),
    localGet: raw.id('LocalGet'),
    constant: raw.id('Const'),
    refFunc: raw.id('RefFunc'),
    refNull: raw.id('RefNull'),
    drop: raw.id('Drop'),
  };
}
