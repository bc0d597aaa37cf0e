/**
 * What every function of a module does, as far as suspending is concerned: whom it calls, and which instructions it
 * has that the asyncify backend cannot carry. One pass over the code section.
 */
import { Op, decodeBody } from './code.ts';
import type { Outline } from './module.ts';

export interface FunctionFacts {
  /** Indices of the functions called directly, each once. */
  readonly calls: ReadonlySet<number>;
  /** Type indices of `call_indirect`. */
  readonly callsIndirect: ReadonlySet<number>;
  /** Type indices of `call_ref`. */
  readonly callsReference: ReadonlySet<number>;
  readonly tailCalls: boolean;
  readonly tryTable: boolean;
  readonly legacyTry: boolean;
  readonly stackSwitching: boolean;
  readonly referenceLocals: number;
  readonly unknown: number | null;
}

export interface GlobalUse {
  /** `global.get g; i32.const c; i32.sub`: the prologue of a function with a frame on a shadow stack. */
  lowered: number;
  sets: number;
}

export interface Analysis {
  /** Facts of function `importedFunctions + i` at `i`. */
  readonly functions: readonly FunctionFacts[];
  readonly globals: readonly GlobalUse[];
  /** Features that are not taken for granted, by the instructions that code uses. */
  readonly features: ReadonlySet<'GC' | 'TailCall' | 'RelaxedSIMD' | 'Atomics' | 'WideArithmetic'>;
  readonly memorySize: boolean;
  readonly memoryGrow: boolean;
  /** Functions whose reference is taken by `ref.func` in code. */
  readonly referenced: ReadonlySet<number>;
}

const NONE: ReadonlySet<number> = new Set();

export function analyse(outline: Outline): Analysis {
  const globals: GlobalUse[] = outline.globals.map(() => ({ lowered: 0, sets: 0 }));
  const referenced = new Set<number>();
  const features = new Set<'GC' | 'TailCall' | 'RelaxedSIMD' | 'Atomics' | 'WideArithmetic'>();
  let memorySize = false;
  let memoryGrow = false;

  const functions = outline.bodies.map(({ start, end }): FunctionFacts => {
    const calls = new Set<number>();
    let references: Set<number> | null = null;
    let indirect: Set<number> | null = null;
    let tailCalls = false;
    let tryTable = false;
    let legacyTry = false;
    let stackSwitching = false;
    let before = -1;
    let last = -1;
    let got = -1;
    const body = decodeBody(outline.bytes, start, end, ({ opcode, immediate }) => {
      switch (opcode) {
        case Op.ReturnCall:
          tailCalls = true;
          calls.add(immediate);
          break;
        case Op.Call:
          calls.add(immediate);
          break;
        case Op.ReturnCallIndirect:
          tailCalls = true;
          (indirect ??= new Set()).add(immediate);
          break;
        case Op.CallIndirect:
          (indirect ??= new Set()).add(immediate);
          break;
        case Op.ReturnCallRef:
          tailCalls = true;
          (references ??= new Set()).add(immediate);
          break;
        case Op.CallRef:
          (references ??= new Set()).add(immediate);
          break;
        case Op.TryTable:
          tryTable = true;
          break;
        case Op.Try:
          legacyTry = true;
          break;
        case Op.RefFunc:
          referenced.add(immediate);
          break;
        case Op.MemorySize:
          memorySize = true;
          break;
        case Op.MemoryGrow:
          memoryGrow = true;
          break;
        case Op.GlobalGet:
          got = immediate;
          break;
        case Op.GlobalSet: {
          const use = globals[immediate];
          if (use !== undefined) use.sets += 1;
          break;
        }
        case Op.I32Sub:
          if (last === Op.I32Const && before === Op.GlobalGet) {
            const use = globals[got];
            if (use !== undefined) use.lowered += 1;
          }
          break;
        default:
          if (opcode >= Op.ContNew && opcode <= Op.Switch) stackSwitching = true;
          else if (opcode >> 16 === 0xfb || (opcode >= 0xd3 && opcode <= 0xd6)) features.add('GC');
          else if (opcode >> 16 === 0xfe) features.add('Atomics');
          else if (opcode >= 0xfd_0100 && opcode <= 0xfd_ffff) features.add('RelaxedSIMD');
          else if (opcode >= 0xfc_0013 && opcode <= 0xfc_0016) features.add('WideArithmetic');
      }
      before = last;
      last = opcode;
    });
    if (tailCalls) features.add('TailCall');
    if (references !== null) features.add('GC');
    return {
      calls,
      callsIndirect: indirect ?? NONE,
      callsReference: references ?? NONE,
      tailCalls,
      tryTable,
      legacyTry,
      stackSwitching,
      referenceLocals: body.referenceLocals,
      unknown: body.unknown,
    };
  });
  return { functions, globals, features, memorySize, memoryGrow, referenced };
}

/**
 * The functions that may be on the stack at a suspension, by index: those that call, over any number of steps, a
 * suspending import, or make an indirect call (whose target nobody knows). This is the set that Binaryen instruments.
 *
 * @param suspending indices of suspending imports
 * @param ignoreIndirect take it that no indirect call suspends
 * @param removed functions that are left out whatever they call; who calls only them does not suspend either
 * @param references count calls through references too, which Binaryen does not
 */
export function maySuspend(
  outline: Outline,
  analysis: Analysis,
  suspending: ReadonlySet<number>,
  ignoreIndirect: boolean,
  removed: ReadonlySet<number> = NONE,
  references: boolean = false,
): Set<number> {
  const callers = new Map<number, number[]>();
  const reached = new Set<number>();
  const queue: number[] = [];
  const reach = (index: number): void => {
    if (reached.has(index) || removed.has(index)) return;
    reached.add(index);
    queue.push(index);
  };
  for (const [offset, facts] of analysis.functions.entries()) {
    const index = outline.importedFunctions + offset;
    for (const callee of facts.calls) {
      const list = callers.get(callee);
      if (list === undefined) callers.set(callee, [index]);
      else list.push(index);
    }
    if (facts.callsIndirect.size > 0 && !ignoreIndirect) reach(index);
    if (facts.callsReference.size > 0 && references) reach(index);
  }
  for (const index of suspending) reach(index);
  for (let index = queue.pop(); index !== undefined; index = queue.pop()) {
    for (const caller of callers.get(index) ?? []) reach(caller);
  }
  for (const index of suspending) reached.delete(index);
  return reached;
}
