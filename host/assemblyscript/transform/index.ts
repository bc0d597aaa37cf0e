/**
 * `wasm-fibers/transform`: one step from AssemblyScript source to a module that can wait, with types on both sides.
 *
 *     asc app.ts --transform wasm-fibers/transform --outFile build/app.wasm -O3
 *
 * writes build/app.wasm, app.js and app.d.ts.
 */
import { TYPES_SECTION } from '../types.ts';
import type { Declaration, Node, OutputModule, Program, TransformContext } from './asc.ts';
import { describe } from './describe.ts';
import { writeJavaScript } from './javascript.ts';
import { addLibrary, orderSources } from './library.ts';
import { readSettings } from './options.ts';
import type { Settings, TransformOptions } from './options.ts';
import { Output } from './output.ts';
import { findSuspending } from './suspending.ts';
import { writableEnums, writeTypeScript } from './typescript.ts';

export type { TransformOptions, WasmFibersOptions } from './options.ts';

/** asc's code for a message of ours, which it shows with the source line. */
const USER_DEFINED = 102;

/** What `asc.main` takes in its list of transforms. */
export interface Transform {
  afterParse(parser: unknown): void;
  afterCompile(module: unknown): Promise<void>;
}

/** A transform for a call of `asc.main`. */
export function wasmFibers(options: TransformOptions = {}): new () => Transform {
  return class extends WasmFibers {
    constructor() {
      super(options);
    }
  };
}

/** What `asc --transform wasm-fibers/transform` makes. */
export default class WasmFibers implements Transform {
  readonly #options: TransformOptions;
  readonly #context: TransformContext;

  constructor(options: TransformOptions = {}) {
    this.#options = options;
    // asc has put these onto the prototype, where the next call of asc.main will put its own.
    const { program, binaryen, baseDir, stdout, stderr, readFile, writeFile } = this as unknown as TransformContext;
    this.#context = { program, binaryen, baseDir, stdout, stderr, readFile, writeFile };
    addLibrary(program);
  }

  /** asc has parsed every file. */
  afterParse(_parser: unknown): void {
    orderSources(this.#context.program);
  }

  /** asc has compiled the program, and will optimise and emit what it finds here. */
  async afterCompile(module: unknown): Promise<void> {
    const context = this.#context;
    const { program, binaryen, baseDir } = context;
    const settings = await readSettings(this.#options, context);
    const suspending = findSuspending(program, settings.suspending);
    let failed = false;
    // asc's module, of which we need little.
    const target = module as OutputModule;
    const readGlobal = (name: string): number | null => {
      const { value } = binaryen.getExpressionInfo(binaryen.getGlobalInfo(target.getGlobal(name)).init);
      return typeof value === 'number' ? value : null;
    };
    const description = describe(program, suspending.elements, readGlobal, (sentence: string, at: Node) => {
      failed = true;
      report(program, sentence, at);
    });
    if (failed) return;
    target.addCustomSection(TYPES_SECTION, new TextEncoder().encode(JSON.stringify(description.section)));
    const { only, add, remove, ignoreIndirect } = settings;
    const output = new Output(binaryen, target, program, {
      suspending: [...suspending.names],
      only,
      add,
      remove,
      ignoreIndirect,
    });
    output.prepare(program, sourceMapUrl(settings));
    const { outFile, noEmit } = settings.asc;
    if (noEmit === true || !outFile) return;
    const base = outFile.replace(/\.\w+$/, '');
    const name = base.slice(base.lastIndexOf('/') + 1);
    await context.writeFile(`${base}.js`, writeJavaScript(name, writableEnums(description)), baseDir);
    await context.writeFile(`${base}.d.ts`, writeTypeScript(description, program, name), baseDir);
  }
}

function report(program: Program, sentence: string, at: Node): void {
  const { name } = at as Partial<Declaration>;
  const emitter = program as unknown as { error(code: number, range: unknown, argument: string): void };
  emitter.error(USER_DEFINED, (name ?? at).range, sentence);
}

/** As asc will pass it to `emitBinary`. */
function sourceMapUrl({ asc }: Settings): string | null {
  if (asc.sourceMap === undefined) return null;
  if (asc.sourceMap !== '') return asc.sourceMap;
  const base = (asc.outFile ?? '').replace(/\.\w+$/, '');
  return `./${base.slice(base.lastIndexOf('/') + 1)}.wasm.map`;
}
