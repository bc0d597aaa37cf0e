/**
 * A function body as `Tree` lays it out, with what a transformation by cases needs: the children of a node, where its subtree
 * ends, and whether a suspension point is in it.
 */
import type { Ref } from '../binaryen.ts';
import type { Tree, Walker } from '../walk.ts';

/** Is this call one that may suspend? */
export type IsPoint = (id: number, expression: Ref) => boolean;

export class Shape {
  readonly tree: Tree;
  readonly #walker: Walker;
  /** Index behind the last node of each subtree; a tree is in order of parents first. */
  readonly #ends: number[] = [];
  readonly #points: boolean[] = [];
  /** Is it a suspension point, or is one in it? */
  readonly #holds: boolean[] = [];
  readonly #localSet: number;

  /** A suspension in a catch body is refused before anything unwinds, so there are no points in them. */
  constructor(walker: Walker, tree: Tree, isPoint: IsPoint) {
    this.tree = tree;
    this.#walker = walker;
    const { raw } = walker;
    this.#localSet = raw.id('LocalSet');
    const tryId = raw.id('Try');
    const { ids, parents, slots, expressions } = tree;
    const caught: boolean[] = [];
    for (let at = 0; at < ids.length; at++) {
      const parent = parents[at] ?? -1;
      caught.push(parent >= 0 && (caught[parent] === true || (ids[parent] === tryId && slots[at] !== 0)));
      this.#points.push(caught[at] === false && isPoint(ids[at] ?? -1, expressions[at] ?? 0));
      this.#holds.push(false);
      this.#ends.push(at + 1);
    }
    for (let at = ids.length - 1; at >= 0; at--) {
      const parent = parents[at] ?? -1;
      if (this.#points[at] === true) this.#holds[at] = true;
      if (parent < 0) continue;
      if (this.#holds[at] === true) this.#holds[parent] = true;
      this.#ends[parent] = Math.max(this.#ends[parent] ?? 0, this.#ends[at] ?? 0);
    }
  }

  id(at: number): number {
    return this.tree.ids[at] ?? -1;
  }

  expression(at: number): Ref {
    return this.tree.expressions[at] ?? 0;
  }

  type(at: number): Ref {
    return this.#walker.raw.getType(this.expression(at));
  }

  isPoint(at: number): boolean {
    return this.#points[at] === true;
  }

  holds(at: number): boolean {
    return this.#holds[at] === true;
  }

  end(at: number): number {
    return this.#ends[at] ?? at + 1;
  }

  /** Indices, in the order in which they are executed. */
  children(at: number): number[] {
    const children: number[] = [];
    for (let child = at + 1, end = this.end(at); child < end; child = this.end(child)) children.push(child);
    return children;
  }

  /** The child in a slot, or -1. */
  child(at: number, slot: number): number {
    return this.children(at).find((child) => this.tree.slots[child] === slot) ?? -1;
  }

  /** Is there a `local.set` of this local in the subtree? */
  sets(at: number, local: number): boolean {
    const index = this.#walker.raw.call('LocalSetGetIndex');
    for (let node = at; node < this.end(at); node++) {
      if (this.id(node) === this.#localSet && index(this.expression(node)) === local) return true;
    }
    return false;
  }
}
