/**
 * How a function saves and loads its frame, as code.
 *
 * One frame; `position` is the word at the beginning of the window's header that says where the next frame goes:
 *
 *     position before                             position after
 *     | local | local | ...        | word          |                word = group << 16 | number of the place
 *
 * The word says where in the function to go on. It comes last, so that it is found before it is known which layout the frame
 * has, and how large it is.
 */
import type { BinaryenModule, Memory, Ref } from '../binaryen.ts';
import type { Walker } from '../walk.ts';
import type { Group, Layout } from './layout.ts';

/** What the window provides. */
export interface WindowAccess {
  /** Address of the header. */
  data(): Ref;
  /** Sees to it that a frame can be loaded. Address of the last word in it; 0 if there is none. */
  top(): Ref;
  /** Where the position will be after a frame of this size of the function `id`; there will be room for another one. */
  push(size: number, native: number, id: number): Ref;
}

/** Numbers of places have so many bits. */
const NUMBER_BITS = 16;
export const MOST_PLACES: number = (1 << NUMBER_BITS) - 1;

/** Code for one function, and for every copy that has the same locals. */
export class Frames {
  readonly #walker: Walker;
  readonly #module: BinaryenModule;
  readonly #window: WindowAccess;
  /** A local with the number of the place to go to, with the group before it while the frame is not loaded; else 0. */
  readonly #place: number;
  readonly #scratch: number;
  readonly #native: number;
  readonly #id: number;

  /** @param native bytes that a frame of the function is expected to take of the native stack; @param id its number */
  constructor(walker: Walker, module: BinaryenModule, func: Ref, window: WindowAccess, native: number, id: number) {
    this.#walker = walker;
    this.#module = module;
    this.#window = window;
    this.#native = native;
    this.#id = id;
    const addVar = walker.raw.call('FunctionAddVar');
    this.#place = addVar(func, walker.raw.binaryen.i32);
    this.#scratch = addVar(func, walker.raw.binaryen.i32);
  }

  /** The number of the place to go to; 0 in code that just runs. */
  place(): Ref {
    return this.#module.local.get(this.#place, this.#walker.raw.binaryen.i32);
  }

  /**
   * Loads a frame of one of these groups and takes it out of the window.
   *
   * @param otherwise what to do if there is no frame
   */
  load(groups: readonly Group[], otherwise: Ref): Ref[] {
    const module = this.#module;
    const { auto } = this.#walker.raw.binaryen;
    const first = groups[0]?.index ?? 0;
    const before = [
      this.#setScratch(this.#window.top()),
      module.if(module.i32.eqz(this.#getScratch()), otherwise),
      module.local.set(this.#place, module.i32.load(0, 4, this.#getScratch())),
    ];
    const mask = module.i32.const(MOST_PLACES);
    const after = module.local.set(this.#place, module.i32.and(this.place(), mask));
    if (groups.length === 1) return [...before, ...groups.flatMap(({ layout }) => this.#load(layout)), after];
    const name = (group: Group): string => `wasm-fibers.group.${group.index}`;
    const index = module.i32.sub(
      module.i32.shr_u(this.place(), module.i32.const(NUMBER_BITS)),
      module.i32.const(first),
    );
    const labels = groups.map(name);
    // What a damaged frame says leads somewhere, and harms only the guest.
    let code: Ref[] = [module.switch(labels, labels[0] ?? '', index)];
    const loaded = 'wasm-fibers.loaded';
    for (const group of groups) {
      code = [module.block(name(group), code, auto), ...this.#load(group.layout), module.br(loaded)];
    }
    return [...before, module.block(loaded, code, auto), after];
  }

  #load({ slots, size }: Layout): Ref[] {
    const module = this.#module;
    const code = [
      this.#setScratch(module.i32.sub(this.#getScratch(), module.i32.const(size - 4))),
      module.i32.store(0, 4, this.#window.data(), this.#getScratch()),
    ];
    for (const slot of slots) {
      if (slot.index > 0) continue;
      const parts = slots.filter(({ local }) => local === slot.local);
      const values = parts.map(({ part, offset }) => this.#access(part).load(offset, 4, this.#getScratch()));
      const [only = 0] = values;
      code.push(module.local.set(slot.local, slot.index < 0 ? only : module.tuple.make(values)));
    }
    return code;
  }

  /** Goes to the label that belongs to the number of the place, counted from `first`; the place is reached. */
  arrive(labels: readonly string[], first: number): Ref[] {
    const module = this.#module;
    const reached = module.local.set(this.#place, module.i32.const(0));
    const [only = ''] = labels;
    if (labels.length === 1) return [reached, module.br(only)];
    return [
      this.#setScratch(module.i32.sub(this.place(), module.i32.const(first))),
      reached,
      module.switch(labels, only, this.#getScratch()),
    ];
  }

  /** Saves a frame; the value of `number` says for which place of the group. */
  save({ index, layout: { slots, size } }: Group, number: Ref): Ref[] {
    const module = this.#module;
    const saves = slots.map(({ local, type, part, index: nth, offset }) => {
      const value = module.local.get(local, type);
      const stored = nth < 0 ? value : module.tuple.extract(value, nth);
      return this.#access(part).store(offset, 4, this.#getScratch(), stored);
    });
    const word = module.i32.add(this.place(), module.i32.const(index << NUMBER_BITS));
    return [
      module.local.set(this.#place, number),
      this.#setScratch(module.i32.load(0, 4, this.#window.data())),
      ...saves,
      module.i32.store(size - 4, 4, this.#getScratch(), word),
      module.i32.store(0, 4, this.#window.data(), this.#window.push(size, this.#native, this.#id)),
    ];
  }

  #setScratch(value: Ref): Ref {
    return this.#module.local.set(this.#scratch, value);
  }

  #getScratch(): Ref {
    return this.#module.local.get(this.#scratch, this.#walker.raw.binaryen.i32);
  }

  #access(type: Ref): Memory {
    const module = this.#module;
    const { binaryen } = this.#walker.raw;
    if (type === binaryen.i32) return module.i32;
    if (type === binaryen.i64) return module.i64;
    if (type === binaryen.f32) return module.f32;
    return type === binaryen.f64 ? module.f64 : module.v128;
  }
}
