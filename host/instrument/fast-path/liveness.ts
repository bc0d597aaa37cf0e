/**
 * Which locals a suspension must save: those that are read later before they are written, at each suspension point. The
 * usual backward data flow over basic blocks, on bit sets.
 */
import type { Ref } from '../binaryen.ts';
import type { Tree, Walker } from '../walk.ts';

/** What happens in a basic block, in order. */
type Step =
  | { readonly kind: 'use' | 'definition'; readonly local: number }
  | { readonly kind: 'place'; readonly expression: Ref };

interface BasicBlock {
  readonly steps: Step[];
  readonly next: BasicBlock[];
  /** Where exceptions thrown in it may be caught. */
  readonly handlers: readonly BasicBlock[];
  readonly previous: BasicBlock[];
  in: Uint32Array;
  queued: boolean;
}

/** @returns for each of some calls and `if`s, the locals that are alive behind it */
export function liveBehind(
  walker: Walker,
  tree: Tree,
  locals: number,
  places: ReadonlySet<Ref>,
): Map<Ref, ReadonlySet<number>> {
  const words = (locals + 31) >> 5;
  const blocks = new FlowGraph(walker, tree, words, places).blocks;
  solve(blocks, words);
  const live = new Map<Ref, ReadonlySet<number>>();
  for (const block of blocks) {
    flow(block, words, (place, bits) => live.set(place, toSet(bits)));
  }
  return live;
}

function solve(blocks: readonly BasicBlock[], words: number): void {
  const queue = [...blocks];
  for (let block = queue.pop(); block !== undefined; block = queue.pop()) {
    block.queued = false;
    const before = flow(block, words, null);
    if (before.every((word, at) => word === block.in[at])) continue;
    block.in = before;
    for (const each of block.previous) {
      if (each.queued) continue;
      each.queued = true;
      queue.push(each);
    }
  }
}

/** Goes through a block backwards. */
function flow(
  block: BasicBlock,
  words: number,
  atPlace: ((place: Ref, live: Uint32Array) => void) | null,
): Uint32Array {
  const live = new Uint32Array(words);
  const caught = new Uint32Array(words);
  const join = (into: Uint32Array, from: Uint32Array): void => {
    for (let at = 0; at < words; at++) into[at] = (into[at] ?? 0) | (from[at] ?? 0);
  };
  for (const next of block.next) join(live, next.in);
  for (const handler of block.handlers) join(caught, handler.in);
  join(live, caught);
  for (let index = block.steps.length - 1; index >= 0; index--) {
    const step = block.steps[index];
    if (step === undefined) continue;
    if (step.kind === 'place') {
      atPlace?.(step.expression, live);
      continue;
    }
    const word = step.local >> 5;
    const bit = 1 << (step.local & 31);
    if (step.kind === 'use') live[word] = (live[word] ?? 0) | bit;
    // What a handler reads is alive wherever something may be thrown, so in all of the block.
    else live[word] = ((live[word] ?? 0) & ~bit) | ((caught[word] ?? 0) & bit);
  }
  return live;
}

function toSet(bits: Uint32Array): Set<number> {
  const set = new Set<number>();
  for (const [at, word] of bits.entries()) {
    for (let rest = word; rest !== 0; rest &= rest - 1) set.add(at * 32 + 31 - Math.clz32(rest & -rest));
  }
  return set;
}

class FlowGraph {
  readonly blocks: BasicBlock[] = [];
  readonly #walker: Walker;
  readonly #tree: Tree;
  readonly #words: number;
  readonly #places: ReadonlySet<Ref>;
  readonly #kinds: ReadonlyMap<number, string>;
  /** Where a branch to a label goes, by the address of its name. */
  readonly #targets = new Map<number, BasicBlock>();
  #handlers: readonly BasicBlock[] = [];
  #current: BasicBlock;

  constructor(walker: Walker, tree: Tree, words: number, places: ReadonlySet<Ref>) {
    this.#walker = walker;
    this.#tree = tree;
    this.#words = words;
    this.#places = places;
    const { raw } = walker;
    this.#kinds = new Map(KINDS.map((kind) => [raw.id(kind), kind]));
    this.#current = this.#block();
    this.#walk();
  }

  /** Nodes are left in the order in which they are executed, after all that is in them. Without recursion: bodies are deep. */
  #walk(): void {
    const { parents } = this.#tree;
    const open: number[] = [];
    for (let at = 0; at < parents.length; at++) {
      while (open.length > 0 && open.at(-1) !== parents[at]) this.#leave(open.pop() ?? 0);
      this.#enter(at);
      open.push(at);
    }
    while (open.length > 0) this.#leave(open.pop() ?? 0);
  }

  #block(): BasicBlock {
    const in_ = new Uint32Array(this.#words);
    const block = { steps: [], next: [], handlers: this.#handlers, previous: [], in: in_, queued: true };
    this.blocks.push(block);
    for (const handler of this.#handlers) handler.previous.push(block);
    return block;
  }

  #edge(to: BasicBlock): void {
    this.#current.next.push(to);
    to.previous.push(this.#current);
  }

  /** Goes on in another block. */
  #continueIn(block: BasicBlock): void {
    this.#edge(block);
    this.#current = block;
  }

  /** What follows is reached by labels only. */
  #stop(): void {
    this.#current = this.#block();
  }

  readonly #joins = new Map<number, BasicBlock>();
  readonly #outer = new Map<number, readonly BasicBlock[]>();

  #enter(at: number): void {
    const { raw } = this.#walker;
    const { ids, expressions, parents, slots } = this.#tree;
    const kind = this.#kinds.get(ids[at] ?? -1);
    const expression = expressions[at] ?? 0;
    const parent = parents[at] ?? -1;
    const parentKind = this.#kinds.get(ids[parent] ?? -1);
    if (parentKind === 'If' && slots[at] !== 0) this.#enterArm(parent, slots[at] === 1);
    else if (parentKind === 'Try') this.#enterTry(at, parent);
    if (kind === 'Block') {
      const name = raw.call('BlockGetName')(expression);
      if (name === 0) return;
      const behind = this.#block();
      this.#targets.set(name, behind);
      this.#joins.set(at, behind);
    } else if (kind === 'Loop') {
      const name = raw.call('LoopGetName')(expression);
      const head = this.#block();
      if (name !== 0) this.#targets.set(name, head);
      this.#continueIn(head);
    }
  }

  readonly #conditions = new Map<number, BasicBlock>();

  #enterArm(at: number, isFirst: boolean): void {
    let join = this.#joins.get(at);
    if (isFirst) {
      join = this.#block();
      this.#joins.set(at, join);
      this.#conditions.set(at, this.#current);
      this.#continueIn(this.#block());
      return;
    }
    if (join !== undefined) this.#edge(join);
    const condition = this.#conditions.get(at);
    if (condition === undefined) return;
    this.#conditions.delete(at);
    this.#current = condition;
    this.#continueIn(this.#block());
  }

  readonly #catches = new Map<number, BasicBlock[]>();

  #enterTry(child: number, at: number): void {
    const { raw } = this.#walker;
    const slot = this.#tree.slots[child];
    const position = this.#tree.positions[child] ?? 0;
    if (slot === 0) {
      const outer = this.#handlers;
      const bodies = Array.from({ length: raw.call('TryGetNumCatchBodies')(this.#tree.expressions[at] ?? 0) }, () =>
        this.#block(),
      );
      this.#catches.set(at, bodies);
      this.#outer.set(at, outer);
      this.#joins.set(at, this.#block());
      this.#handlers = [...outer, ...bodies];
      this.#continueIn(this.#block());
      return;
    }
    const join = this.#joins.get(at);
    if (join !== undefined) this.#edge(join);
    this.#handlers = this.#outer.get(at) ?? [];
    this.#current = this.#catches.get(at)?.[position] ?? this.#block();
  }

  #leave(at: number): void {
    const { raw } = this.#walker;
    const expression = this.#tree.expressions[at] ?? 0;
    switch (this.#kinds.get(this.#tree.ids[at] ?? -1)) {
      case 'LocalGet':
        this.#current.steps.push({ kind: 'use', local: raw.call('LocalGetGetIndex')(expression) });
        break;
      case 'LocalSet':
        this.#current.steps.push({ kind: 'definition', local: raw.call('LocalSetGetIndex')(expression) });
        break;
      case 'Block':
        this.#join(at);
        break;
      case 'If': {
        const condition = this.#conditions.get(at);
        const join = this.#joins.get(at);
        if (condition !== undefined && join !== undefined) {
          condition.next.push(join);
          join.previous.push(condition);
        }
        this.#join(at);
        break;
      }
      case 'Try':
        this.#handlers = this.#outer.get(at) ?? [];
        this.#join(at);
        break;
      case 'Break':
        this.#branch([raw.call('BreakGetName')(expression)]);
        if (raw.call('BreakGetCondition')(expression) === 0) this.#stop();
        else this.#continueIn(this.#block());
        break;
      case 'BrOn':
        this.#branch([raw.call('BrOnGetName')(expression)]);
        this.#continueIn(this.#block());
        break;
      case 'Switch': {
        const count = raw.call('SwitchGetNumNames')(expression);
        const name = raw.call('SwitchGetNameAt');
        const names = Array.from({ length: count }, (_, index) => name(expression, index));
        this.#branch([...new Set([...names, raw.call('SwitchGetDefaultName')(expression)])]);
        this.#stop();
        break;
      }
      case 'Return':
      case 'Unreachable':
      case 'Throw':
      case 'Rethrow':
        this.#stop();
        break;
      case 'Call':
      case 'CallIndirect':
        if (raw.getType(expression) === raw.binaryen.unreachable) this.#stop();
        break;
      default:
        for (const local of this.#walker.hiddenReads(expression)) this.#current.steps.push({ kind: 'use', local });
    }
    if (this.#places.has(expression)) this.#current.steps.push({ kind: 'place', expression });
  }

  #join(at: number): void {
    const join = this.#joins.get(at);
    if (join !== undefined) this.#continueIn(join);
  }

  #branch(names: readonly number[]): void {
    for (const name of names) {
      const target = this.#targets.get(name);
      if (target !== undefined) this.#edge(target);
    }
  }
}

const KINDS = [
  'LocalGet',
  'LocalSet',
  'Block',
  'If',
  'Loop',
  'Try',
  'Break',
  'BrOn',
  'Switch',
  'Return',
  'Unreachable',
  'Throw',
  'Rethrow',
  'Call',
  'CallIndirect',
] as const;
