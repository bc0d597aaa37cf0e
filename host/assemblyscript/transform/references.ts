/**
 * Which variables hold a reference to an object of the host's (externref and the like) while a call may wait. Such values
 * cannot be written into memory, so they cannot be saved with the fiber's frames. Binaryen finds that there is one, after
 * optimisation; which one is found here, in the code as it was compiled, where every variable still has a local of its own.
 */
import { analyse } from '../../instrument/binary/analysis.ts';
import { CallGraph } from '../../instrument/binary/call-graph.ts';
import { decodeBody, Op } from '../../instrument/binary/code.ts';
import { functionImports, readOutline } from '../../instrument/binary/module.ts';
import type { Outline } from '../../instrument/binary/module.ts';
import { CommonFlags, ElementKind, NodeKind, TypeKind } from './asc.ts';
import type { Declaration, FunctionElement, Local, Node, Program, Type } from './asc.ts';

export interface HeldReference {
  readonly fn: FunctionElement;
  /** Null if the value has no name: it is on its way into an expression. */
  readonly local: Local | null;
  /** Where the variable, or else the function, is declared. */
  readonly at: Node;
}

interface Compiled {
  readonly fn: FunctionElement;
  /** Where its variables are declared: for the code at the top level of a file, its statements. */
  readonly nodes: readonly Node[];
}

/** The functions of the program, by name. */
function compiledFunctions(program: Program): Map<string, Compiled> {
  const found = new Map<string, Compiled>();
  const add = (fn: FunctionElement, nodes: readonly Node[] = [fn.declaration]): void =>
    void found.set(fn.internalName, { fn, nodes });
  for (const element of program.instancesByName.values()) {
    if (element.kind === ElementKind.Function && element.is(CommonFlags.Compiled)) add(element as FunctionElement);
  }
  for (const file of program.filesByName.values()) add(file.startFunction, file.source.statements);
  return found;
}

function isReference({ kind }: Type): boolean {
  return kind >= TypeKind.Extern && kind < TypeKind.Void;
}

/** Has the program given it a name? asc's own are numbers. */
function isNamed({ name }: Local): boolean {
  return !/^\d/.test(name);
}

/** The declaration of a variable or parameter below these nodes: asc's tree has no common way to its children. */
function findVariable(nodes: readonly unknown[], name: string): Node | null {
  for (const value of nodes) {
    if (typeof value !== 'object' || value === null || !('kind' in value) || !('range' in value)) continue;
    const { kind } = value as Node;
    if (kind === NodeKind.VariableDeclaration || kind === NodeKind.Parameter) {
      const identifier = (value as Declaration).name;
      if (identifier.text === name) return identifier;
    }
    const found = findVariable(Object.values(value).flat(), name);
    if (found !== null) return found;
  }
  return null;
}

/** Is there anything to look for? */
export function usesReferences(program: Program): boolean {
  return [...compiledFunctions(program).values()].some(
    ({ fn: { localsByIndex, signature } }) =>
      localsByIndex.some((local) => isReference(local.type)) || isReference(signature.returnType),
  );
}

/**
 * @param bytes the module before optimisation, with names
 * @param suspending `module.name`
 */
export function heldReferences(program: Program, bytes: Uint8Array, suspending: readonly string[]): HeldReference[] {
  const outline = readOutline(bytes);
  const waiting = new Set<number>();
  for (const [index, { module, name }] of functionImports(outline).entries()) {
    if (suspending.includes(`${module}.${name}`)) waiting.add(index);
  }
  const { causes } = new CallGraph(outline, analyse(outline)).reach(waiting);
  const onStack = causes.keys();
  const mayWait = new Set([...waiting, ...causes.keys()]);
  const functions = compiledFunctions(program);
  const held: HeldReference[] = [];
  for (const index of onStack) {
    const compiled = functions.get(outline.names.functions.get(index) ?? '');
    if (compiled === undefined) continue;
    const { fn, nodes } = compiled;
    const locals = fn.localsByIndex.filter((local) => isReference(local.type));
    if (locals.length === 0) continue;
    const alive = aliveAcrossWaits(outline, index, mayWait);
    const names = locals.filter((local) => alive.has(local.index) && isNamed(local));
    for (const local of names)
      held.push({ fn, local, at: findVariable(nodes, local.name) ?? nodes[0] ?? fn.declaration });
    if (names.length === 0 && locals.some((local) => alive.has(local.index))) {
      held.push({ fn, local: null, at: nodes[0] ?? fn.declaration });
    }
  }
  return held;
}

interface Step {
  readonly opcode: number;
  readonly immediate: number;
}

/** Locals that are read after a call that may wait and were written before it: a backward analysis to a fixed point. */
function aliveAcrossWaits(outline: Outline, index: number, mayWait: ReadonlySet<number>): Set<number> {
  const body = outline.bodies[index - outline.importedFunctions];
  const found = new Set<number>();
  if (body === undefined) return found;
  const steps: Step[] = [];
  decodeBody(outline.bytes, body.start, body.end, ({ opcode, immediate }) => steps.push({ opcode, immediate }));
  const successors = flow(steps);
  const alive: Set<number>[] = steps.map(() => new Set());
  for (let changed = true; changed;) {
    changed = false;
    for (let at = steps.length - 1; at >= 0; at--) {
      const { opcode, immediate } = steps[at] as Step; // In range.
      const after = new Set((successors[at] ?? []).flatMap((each) => [...(alive[each] ?? [])]));
      const waits = opcode === Op.CallIndirect || (opcode === Op.Call && mayWait.has(immediate));
      if (waits) for (const local of after) found.add(local);
      if (opcode === LOCAL_SET || opcode === LOCAL_TEE) after.delete(immediate);
      if (opcode === LOCAL_GET) after.add(immediate);
      const before = alive[at];
      if (before === undefined || after.size === before.size) continue;
      alive[at] = after;
      changed = true;
    }
  }
  return found;
}

const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;
const BR_IF = 0x0d;

/** Where each instruction may go on. The targets of a `br_table` are not known here: all labels around it are taken. */
function flow(steps: readonly Step[]): number[][] {
  const ends = new Map<number, number>();
  const elses = new Map<number, number>();
  const open: number[] = [];
  for (const [at, { opcode }] of steps.entries()) {
    if (opcode === Op.Block || opcode === Op.Loop || opcode === Op.If) open.push(at);
    else if (opcode === Op.Else) elses.set(open.at(-1) ?? -1, at);
    else if (opcode === Op.End) ends.set(open.pop() ?? -1, at);
  }
  const labels: number[] = [];
  const target = (depth: number): number[] => {
    const start = labels.at(-1 - depth);
    if (start === undefined) return [];
    return [steps[start]?.opcode === Op.Loop ? start : (ends.get(start) ?? start)];
  };
  return steps.map(({ opcode, immediate }, at) => {
    switch (opcode) {
      case Op.Block:
      case Op.Loop:
        labels.push(at);
        return [at + 1];
      case Op.If: {
        labels.push(at);
        const otherwise = elses.get(at);
        return [at + 1, otherwise === undefined ? (ends.get(at) ?? at + 1) : otherwise + 1];
      }
      case Op.Else:
        return target(0);
      case Op.End:
        labels.pop();
        return [at + 1];
      case Op.Br:
        return target(immediate);
      case BR_IF:
        return [at + 1, ...target(immediate)];
      case Op.BrTable:
        return labels.flatMap((_, depth) => target(depth));
      case Op.Return:
      case Op.Unreachable:
        return [];
      default:
        return [at + 1];
    }
  });
}
