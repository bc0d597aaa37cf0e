/**
 * Random modules: those of Binaryen's own fuzzer (`wasm-opt -ttf`), changed by random passes of Binaryen, and made fit to be
 * compared. Their NaNs are canonical (`--denan`), since engines and optimisers are free in the bits of others; what they log
 * can be read by JavaScript; memory and globals are exported, so that they can be looked at; and what is copied or filled in
 * bulk stays away from the window of the runtime, which no comparison could tell from a fault.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import binaryen from 'binaryen';
import { Op } from '../../../host/instrument/binary/code.ts';
import { ModuleEdit } from '../../../host/instrument/binary/edit.ts';
import { readOutline } from '../../../host/instrument/binary/module.ts';
import { readTables } from '../../../host/instrument/binary/tables.ts';
import type { Random } from '../random.ts';
import { WasmOpt } from './wasm-opt.ts';

/** Exports that begin with this are the comparison's, not the module's. */
export const OURS = 'proof.';

/** What the module is made of. */
export interface Recipe {
  /** What the fuzzer makes the module from: more of it, a larger module. */
  readonly input: Uint8Array;
  /** Binaryen's names of the features beyond those that every engine has. */
  readonly features: readonly string[];
  /** Command line options of wasm-opt. */
  readonly passes: readonly string[];
  /** May the runtime be told where there is room, and the globals be seen? A module optimises better without. */
  readonly showGlobals: boolean;
  readonly names: boolean;
  /** Does the host get at the tables? What it could put there decides who may suspend. */
  readonly exportTables: boolean;
  /** Address of the room that the allocator gives, which the module itself hardly ever touches. */
  readonly room: number;
  /** May its loops go on for seconds? Else they trap soon, as the fuzzer has made them. */
  readonly endless?: boolean;
}

const EVERYWHERE = [
  'sign-ext',
  'mutable-globals',
  'bulk-memory',
  'bulk-memory-opt',
  'nontrapping-float-to-int',
  'multivalue',
] as const;

const FEATURES: readonly [readonly string[], ...(readonly string[])[]] = [
  [],
  [],
  ['simd'],
  ['simd'],
  ['reference-types'],
  ['exception-handling', 'reference-types'],
  ['tail-call'],
  ['gc', 'reference-types', 'tail-call'],
];

const PASSES: readonly [readonly string[], ...(readonly string[])[]] = [
  [],
  [],
  ['--fuzz-passes'],
  ['-O1'],
  ['-O2'],
  ['-O3'],
  ['-Os'],
  ['--inlining-optimizing'],
  ['--dae-optimizing', '--coalesce-locals'],
];

const FLAT_PASSES: readonly (readonly string[])[] = [['--flatten', '--rereloop']];

export function chooseRecipe(random: Random): Recipe {
  const features = random.pick(FEATURES);
  // In flat form Binaryen knows no exceptions, and no garbage-collected types.
  const isFlat = !features.includes('exception-handling') && !features.includes('gc');
  const passes = random.pick<readonly string[]>(isFlat ? [...PASSES, ...FLAT_PASSES] : PASSES);
  // Most of the modules also say where they go: at entries, in loops and at returns. Each is an import that may wait.
  const logs = random.chance(0.9) ? ['--log-execution'] : [];
  const exceptions = features.includes('exception-handling') && random.chance(0.3) ? ['--translate-to-exnref'] : [];
  const size = 200 + random.below(random.chance(0.1) ? 16_000 : 3500);
  return {
    input: random.fork('input').bytes(size),
    features,
    passes: ['--denan', ...passes, ...logs, ...exceptions],
    showGlobals: random.chance(0.5),
    names: random.chance(0.5),
    exportTables: random.chance(0.5),
    room: 0x8000 + 16 * random.below(0x4000),
  };
}

/** Makes modules; disposed of, it leaves no files. */
export class Workshop {
  readonly #wasmOpt: WasmOpt;
  readonly #folder: string;

  private constructor(wasmOpt: WasmOpt) {
    this.#wasmOpt = wasmOpt;
    this.#folder = mkdtempSync(path.join(tmpdir(), 'wasm-fibers-fuzz-'));
  }

  static async open(): Promise<Workshop> {
    return new Workshop(await WasmOpt.load());
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async make(recipe: Recipe): Promise<Uint8Array<ArrayBuffer>> {
    const input = path.join(this.#folder, 'input');
    const output = path.join(this.#folder, 'output.wasm');
    writeFileSync(input, recipe.input);
    const features = ['--mvp-features', ...[...EVERYWHERE, ...recipe.features].map((name) => `--enable-${name}`)];
    await this.#wasmOpt.run([input, '-ttf', '-o', output, '-g', ...features, ...recipe.passes]);
    return prepare(readFileSync(output), recipe);
  }
}

/** From here the fuzzer has every loop and every function count down a global of the module, and trap at the end. */
const HANG_LIMIT = 100;

function haveNoEnd(module: binaryen.Module): void {
  const { i32 } = binaryen;
  for (let at = 0; at < module.getNumGlobals(); at++) {
    const { name, type, mutable, init } = binaryen.getGlobalInfo(module.getGlobalByIndex(at));
    if (type !== i32 || !mutable || binaryen.getExpressionId(init) !== binaryen.ConstId) continue;
    const { value } = binaryen.getExpressionInfo(init) as binaryen.ConstInfo;
    if (value !== HANG_LIMIT) continue;
    module.removeGlobal(name);
    module.addGlobal(name, i32, true, module.i32.const(2 ** 31 - 1));
    return;
  }
}

function prepare(wasm: Uint8Array, recipe: Recipe): Uint8Array<ArrayBuffer> {
  const { i32, i64, f32, f64, v128, none, Features } = binaryen;
  // It takes the features, which its declaration leaves out.
  const read: (wasm: Uint8Array, features: number) => binaryen.Module = binaryen.readBinary;
  const module = read(wasm, featuresOf(recipe, Features as unknown as Record<string, number>));
  try {
    if (module.getFunction('log-v128') !== 0) {
      // An engine lets no vector out to JavaScript.
      module.removeFunction('log-v128');
      const lane = (at: number): number => module.i64x2.extract_lane(module.local.get(0, v128), at);
      const log = (at: number): number => module.call('log-i64', [lane(at)], none);
      module.addFunction('log-v128', v128, none, [], module.block(null, [log(0), log(1)]));
    }
    module.addFunction(`${OURS}alloc`, i32, i32, [], module.i32.const(recipe.room));
    module.addFunction(`${OURS}free`, i32, none, [], module.nop());
    for (const name of ['alloc', 'free']) module.addFunctionExport(OURS + name, OURS + name);
    if (recipe.showGlobals) {
      for (let at = 0; at < module.getNumGlobals(); at++) {
        const { name, type, mutable } = binaryen.getGlobalInfo(module.getGlobalByIndex(at));
        if (mutable && [i32, i64, f32, f64].includes(type)) module.addGlobalExport(name, `${OURS}global.${name}`);
      }
    }
    if (recipe.endless === true) haveNoEnd(module);
    binaryen.setDebugInfo(recipe.names);
    return completed(module.emitBinary(), recipe.exportTables);
  } finally {
    binaryen.setDebugInfo(false);
    module.dispose();
  }
}

/** So low are the addresses in such instructions, and so many the bytes: the room of the runtime begins behind both. */
const MOST = 0x3fff;

/** What Binaryen's interface cannot do, or not without losing segments. */
function completed(wasm: Uint8Array, exportTables: boolean): Uint8Array<ArrayBuffer> {
  const outline = readOutline(wasm);
  // What is not to be exported is no longer to be found by its kind.
  const { exports } = outline;
  const { tables } = readTables(outline);
  const edit = new ModuleEdit(
    exportTables ? outline : { ...outline, exports: exports.filter(({ kind }) => kind !== 'table') },
  );
  if (exportTables) for (const index of tables.keys()) edit.addExport(`${OURS}table.${index}`, 'table', index);
  const memory = outline.memories.length > 0 ? 0 : edit.addMemory(16, 16);
  edit.addExport(`${OURS}memory`, 'memory', memory);
  const operands = ['i32', 'i32', 'i32'];
  const limit = edit.addFunction(`${OURS}limit`, edit.type(operands, operands), [], (code) => {
    for (const local of operands.keys()) code.op(Op.LocalGet, local).constant(MOST).op(I32_AND);
  });
  edit.watch((body) => (instruction) => {
    if (IN_BULK.has(instruction.opcode)) body.insert(instruction, (code) => void code.call(limit));
  });
  return Uint8Array.from(edit.write(() => false).wasm);
}

const I32_AND = 0x71;
/** `memory.init`, `memory.copy`, `memory.fill`: each takes three numbers, of which those that are no value are addresses and a length. */
const IN_BULK: ReadonlySet<number> = new Set([0xfc_0008, 0xfc_000a, 0xfc_000b]);

/** Spelt as binaryen.js spells them. */
const SPELT: Readonly<Record<string, string>> = {
  simd: 'SIMD128',
  'reference-types': 'ReferenceTypes',
  'exception-handling': 'ExceptionHandling',
  'tail-call': 'TailCall',
  gc: 'GC',
};

function featuresOf(recipe: Recipe, known: Readonly<Record<string, number>>): number {
  const base = ['SignExt', 'MutableGlobals', 'BulkMemory', 'BulkMemoryOpt', 'NontrappingFPToInt', 'Multivalue'];
  const names = [...base, ...recipe.features.map((name) => SPELT[name] ?? name)];
  return names.reduce((all, name) => all | (known[name] ?? 0), 0);
}
