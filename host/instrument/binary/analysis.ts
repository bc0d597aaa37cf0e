/**
 * What every function of a module does, as far as suspending is concerned: whom it calls, what it does to tables, and which
 * instructions it has that the asyncify backend cannot carry. One pass over the code section. Who may suspend follows from
 * it in call-graph.ts.
 */
import { Op, decodeBody } from './code.ts';
import type { Outline } from './module.ts';

/** A `call_indirect`: what it asks for, and where. */
export interface IndirectCall {
  /** Type index. */
  readonly type: number;
  readonly table: number;
}

export interface FunctionFacts {
  /** Indices of the functions called directly, each once. */
  readonly calls: ReadonlySet<number>;
  /** Each type and table once. */
  readonly indirectCalls: readonly IndirectCall[];
  /** Type indices of `call_ref`. */
  readonly callsReference: ReadonlySet<number>;
  readonly tailCalls: boolean;
  readonly tryTable: boolean;
  readonly legacyTry: boolean;
  /** `br_on_null`, `br_on_cast` and the like. */
  readonly branchesOnReference: boolean;
  readonly stackSwitching: boolean;
  readonly referenceLocals: number;
  readonly unknown: number | null;
}

export interface GlobalUse {
  /** `global.get g; i32.const c; i32.sub`: the prologue of a function with a frame on a shadow stack. */
  lowered: number;
  sets: number;
}

/** What code does to tables. */
export interface TableUse {
  /** Tables that single references are put into: by `table.set`, `table.grow` or `table.fill`. */
  readonly written: ReadonlySet<number>;
  /** Which segments are copied into which tables. */
  readonly filled: readonly { readonly table: number; readonly segment: number }[];
  /** Which tables are copied into which. */
  readonly copied: readonly { readonly to: number; readonly from: number }[];
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
  readonly tables: TableUse;
}

const NONE: ReadonlySet<number> = new Set();
/** `br_on_null`, `br_on_non_null`, `br_on_cast`, `br_on_cast_fail`. */
const BRANCHES_ON_REFERENCE: ReadonlySet<number> = new Set([0xd5, 0xd6, 0xfb_0018, 0xfb_0019]);
const NOWHERE: readonly IndirectCall[] = [];

export function analyse(outline: Outline): Analysis {
  const globals: GlobalUse[] = outline.globals.map(() => ({ lowered: 0, sets: 0 }));
  const referenced = new Set<number>();
  const features = new Set<'GC' | 'TailCall' | 'RelaxedSIMD' | 'Atomics' | 'WideArithmetic'>();
  let memorySize = false;
  let memoryGrow = false;
  const written = new Set<number>();
  const filled: { readonly table: number; readonly segment: number }[] = [];
  const copied: { readonly to: number; readonly from: number }[] = [];

  const functions = outline.bodies.map(({ start, end }): FunctionFacts => {
    const calls = new Set<number>();
    let references: Set<number> | null = null;
    let indirect: IndirectCall[] | null = null;
    const callsThrough = (type: number, table: number): void => {
      indirect ??= [];
      if (!indirect.some((each) => each.type === type && each.table === table)) indirect.push({ type, table });
    };
    let tailCalls = false;
    let tryTable = false;
    let legacyTry = false;
    let branchesOnReference = false;
    let stackSwitching = false;
    let before = -1;
    let last = -1;
    let got = -1;
    const body = decodeBody(outline.bytes, start, end, ({ opcode, immediate, second }) => {
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
          callsThrough(immediate, second);
          break;
        case Op.CallIndirect:
          callsThrough(immediate, second);
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
        case Op.TableSet:
        case Op.TableGrow:
        case Op.TableFill:
          written.add(immediate);
          break;
        case Op.TableInit:
          filled.push({ table: second, segment: immediate });
          break;
        case Op.TableCopy:
          copied.push({ to: immediate, from: second });
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
          else if (opcode >> 16 === 0xfb || (opcode >= 0xd3 && opcode <= 0xd6)) {
            features.add('GC');
            branchesOnReference ||= BRANCHES_ON_REFERENCE.has(opcode);
          } else if (opcode >> 16 === 0xfe) features.add('Atomics');
          else if (opcode >= 0xfd_0100 && opcode <= 0xfd_ffff) features.add('RelaxedSIMD');
          else if (opcode >= 0xfc_0013 && opcode <= 0xfc_0016) features.add('WideArithmetic');
      }
      before = last;
      last = opcode;
    });
    if (tailCalls) features.add('TailCall');
    if (references !== null || body.hasGcReferences) features.add('GC');
    return {
      calls,
      indirectCalls: indirect ?? NOWHERE,
      callsReference: references ?? NONE,
      tailCalls,
      tryTable,
      legacyTry,
      branchesOnReference,
      stackSwitching,
      referenceLocals: body.referenceLocals,
      unknown: body.unknown,
    };
  });
  return {
    functions,
    globals,
    features,
    memorySize,
    memoryGrow,
    referenced,
    tables: { written, filled, copied },
  };
}
