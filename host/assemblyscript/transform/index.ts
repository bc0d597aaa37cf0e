/**
 * `wasm-fibers/transform`: one step from AssemblyScript source to a module that can wait, with types on both sides.
 *
 *     asc app.ts --transform wasm-fibers/transform --outFile build/app.wasm --optimize
 *
 * writes app.wasm, app.js and app.d.ts. On failure it writes nothing.
 */
import path from 'node:path';
import { TYPES_SECTION } from '../types.ts';
import type { OutputModule, Program, TransformContext } from './asc.ts';
import { describe } from './describe.ts';
import type { Description } from './describe.ts';
import { writeJavaScript } from './javascript.ts';
import { addLibrary, orderSources } from './library.ts';
import { readSettings } from './options.ts';
import type { AscOptions, TransformOptions } from './options.ts';
import { NotInstrumentable, Output } from './output.ts';
import { refuseCollecting } from './minimal.ts';
import { heldReferences, usesReferences } from './references.ts';
import { presentable, Refusal } from './refusal.ts';
import { Reporter } from './report.ts';
import { checkDecorators, findSuspending } from './suspending.ts';
import type { SuspendingImports } from './suspending.ts';
import { showType } from './type-table.ts';
import { writableEnums, writeTypeScript } from './typescript.ts';

export type { TransformOptions, WasmFibersOptions } from './options.ts';

/** The hooks that asc calls, in this order. What they take are asc's own objects. */
export interface Transform {
  afterParse(parser: unknown): void;
  afterCompile(module: unknown): Promise<void>;
}

/**
 * The transform for a call of `asc.main`. On the command line, `--transform wasm-fibers/transform` needs no call of it.
 *
 * Imports decorated with `@suspending` may return promises; which others may is an option:
 *
 *     // @ts-ignore: decorator
 *     @suspending declare function fetchText(url: string): string;
 *
 * The same options but `argv` can stand in asconfig.json, beside "options" or in a target:
 *
 *     { "options": { "transform": ["wasm-fibers/transform"] }, "wasm-fibers": { "suspending": ["env.*"] } }
 *
 * asc's own options hold as always: the module is optimised as asked (`-O`, `--converge`, `--runPasses`), keeps names with
 * `--debug` and a source map with `--sourceMap`. `--bindings` is refused, since both would write app.js.
 *
 * @param options `argv`: what `asc.main` gets, unless the process is asc; `suspending`: names of imports, `module.name`,
 * with `*` for any run of characters; `only`, `add`, `remove`, `ignoreIndirect`: which functions are instrumented
 * @returns a class, which is what asc takes
 *
 * @example
 * import asc from 'assemblyscript/asc';
 * import { wasmFibers } from 'wasm-fibers/transform';
 *
 * const argv = ['app.ts', '--outFile', 'build/app.wasm', '--optimize'];
 * const { error, stderr } = await asc.main(argv, { transforms: [wasmFibers({ argv })] });
 * if (error) console.error(stderr.toString());
 */
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
  readonly #report: Reporter;

  constructor(options: TransformOptions = {}) {
    this.#options = options;
    // asc has put these onto the prototype, where the next call of asc.main will put its own.
    const { program, binaryen, baseDir, stderr, readFile, writeFile } = this as unknown as TransformContext;
    this.#context = { program, binaryen, baseDir, stderr, readFile, writeFile };
    this.#report = new Reporter(program);
    addLibrary(program);
  }

  /** asc has parsed every file. */
  afterParse(_parser: unknown): void {
    orderSources(this.#context.program);
    checkDecorators(this.#context.program, this.#report);
  }

  /** asc has compiled the program, and will optimise and emit what it finds here. */
  async afterCompile(module: unknown): Promise<void> {
    try {
      // asc's module, of which we need little.
      await this.#afterCompile(module as OutputModule);
    } catch (error) {
      throw presentable(error);
    }
  }

  async #afterCompile(module: OutputModule): Promise<void> {
    const { program, stderr } = this.#context;
    const settings = await readSettings(this.#options, this.#context);
    const { asc, only, add, remove, ignoreIndirect } = settings;
    refuseOptions(program, asc);
    const suspending = findSuspending(program, settings.suspending);
    const description = describe(program, suspending.elements, (name) => this.#constant(module, name), this.#report);
    if (this.#report.errors > 0) return;
    module.addCustomSection(TYPES_SECTION, new TextEncoder().encode(JSON.stringify(description.section)));
    const output = new Output(this.#context.binaryen, module, program, {
      suspending: [...suspending.names],
      only,
      add,
      remove,
      ignoreIndirect,
      sourceMapUrl: sourceMapUrl(asc),
      zeroFilledMemory: program.options.importMemory && asc.zeroFilledMemory === true,
    });
    refuseCollecting(program, output, this.#report);
    if (this.#report.errors > 0) return;
    if (!this.#instrument(output, suspending, (sentence) => stderr.write(`WARNING ${sentence}\n`))) return;
    if (asc.noEmit !== true) await this.#write(description, asc);
  }

  /** Returns whether it could be done; if not, the source lines at fault have been reported. */
  #instrument(output: Output, suspending: SuspendingImports, warn: (sentence: string) => void): boolean {
    const { program } = this.#context;
    const before = usesReferences(program) ? output.emitNamed().binary : null;
    try {
      for (const warning of output.run().warnings) warn(warning);
      return true;
    } catch (error) {
      if (!(error instanceof NotInstrumentable)) throw error;
      const held = before === null ? [] : heldReferences(program, before, [...suspending.names]);
      for (const { fn, local, at } of held) {
        const what =
          local === null
            ? `The function "${fn.internalName}" has a value on its way into an expression that is a reference to an object of the host's (externref or the like)`
            : `The variable "${local.name}" of the function "${fn.internalName}" is a reference to an object of the host's (${showType(local.type)})`;
        this.#report.error(
          `${what} that is still needed after a call that may wait; meanwhile it could not be kept in memory. Keep a number or a string that stands for it, or ask for it again after the call.`,
          at,
        );
      }
      if (held.length === 0) throw error.cause;
      return false;
    }
  }

  /** The value of an immutable global of the module as it was compiled. */
  #constant(module: OutputModule, name: string): number | null {
    const { binaryen } = this.#context;
    const { value } = binaryen.getExpressionInfo(binaryen.getGlobalInfo(module.getGlobal(name)).init);
    return typeof value === 'number' ? value : null;
  }

  async #write(description: Description, { outFile }: AscOptions): Promise<void> {
    const { program, stderr } = this.#context;
    if (!outFile) {
      stderr.write('Skipped JavaScript and TypeScript bindings of wasm-fibers (no output path)\n');
      return;
    }
    const enums = writableEnums(description);
    for (const { name } of description.enums.filter((each) => !enums.includes(each))) {
      stderr.write(
        `WARNING The enumeration "${name}" is left out of the bindings: its name is one that they need, or the value of a member is known only at run time.\n`,
      );
    }
    const base = withoutExtension(outFile);
    const wasm = path.basename(outFile);
    await this.#writeFile(`${base}.js`, writeJavaScript(wasm, enums));
    await this.#writeFile(`${base}.d.ts`, writeTypeScript(description, program, wasm));
  }

  async #writeFile(name: string, text: string): Promise<void> {
    const { writeFile, baseDir } = this.#context;
    if ((await writeFile(name, text, baseDir)) === false) {
      throw new Refusal(`The file ${path.join(baseDir, name)} could not be written.`);
    }
  }
}

/** As asc does it. */
function withoutExtension(file: string): string {
  return file.replace(/\.\w+$/, '');
}

/** What asc will pass to `emitBinary`. */
function sourceMapUrl({ sourceMap, outFile, textFile }: AscOptions): string | null {
  if (sourceMap === undefined || sourceMap === null) return null;
  return sourceMap === ''
    ? `./${path.basename(withoutExtension(outFile || textFile || 'output'))}.wasm.map`
    : sourceMap;
}

function refuseOptions(program: Program, asc: AscOptions): void {
  const { sharedMemory, isWasm64, sourceMap } = program.options;
  if (sharedMemory) {
    throw new Refusal('Fibers and --sharedMemory do not go together: other threads would see a fiber halfway.');
  }
  if (isWasm64) throw new Refusal('wasm-fibers needs a 32-bit memory.');
  if (sourceMap !== (sourceMapUrl(asc) !== null)) {
    throw new Refusal('The "argv" that wasmFibers() was given are not those that asc.main() was given.');
  }
  const { bindings = [], outFile = '' } = asc;
  if (bindings.includes('esm') || bindings.includes('raw')) {
    const base = path.basename(withoutExtension(outFile || 'app.wasm'));
    throw new Refusal(
      `--bindings would overwrite ${base}.js and ${base}.d.ts, which wasm-fibers/transform writes. Remove "bindings" from asconfig.json and --bindings from the arguments.`,
    );
  }
  if (asc.trapMode !== undefined && !['allow', 'clamp', 'js'].includes(asc.trapMode)) {
    throw new Refusal(`Unsupported trap mode "${asc.trapMode}": asc knows allow, clamp and js.`);
  }
  if (/\.(?:js|ts)$/.test(outFile)) throw new Refusal(`The module cannot be called ${outFile}: its bindings are.`);
}
