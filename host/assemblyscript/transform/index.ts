/**
 * `wasm-fibers/transform`: one step from AssemblyScript source to a module that can wait, with types on both sides.
 *
 *     asc app.ts --transform wasm-fibers/transform --outFile build/app.wasm --optimize
 *
 * writes app.wasm, app.js and app.d.ts, and app.jspi.wasm if it is asked for both targets. On failure it writes nothing.
 */
import path from 'node:path';
import { TYPES_SECTION } from '../types.ts';
import type { OutputModule, Program, TransformContext } from './asc.ts';
import { describe } from './describe.ts';
import type { Description } from './describe.ts';
import { pairedFiles, pairedName, sourceMapUrls, withoutExtension } from './files.ts';
import type { OutputFile } from './files.ts';
import { writeJavaScript } from './javascript.ts';
import { addLibrary, orderSources } from './library.ts';
import { readSettings } from './options.ts';
import type { Settings, TransformOptions } from './options.ts';
import { NotInstrumentable, Output } from './output.ts';
import type { Emitted, Made } from './output.ts';
import { refuseCollecting } from './minimal.ts';
import { heldReferences, usesReferences } from './references.ts';
import { presentable, Refusal } from './refusal.ts';
import { Reporter } from './report.ts';
import { checkDecorators, findSuspending } from './suspending.ts';
import type { SuspendingImports } from './suspending.ts';
import { showType } from './type-table.ts';
import { writableEnums, writeTypeScript } from './typescript.ts';

export type { TransformOptions, TransformTarget, WasmFibersOptions } from './options.ts';

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
 * @param options `argv`: what `asc.main` gets, unless the process is asc; `target`: `asyncify` (default), `jspi` or `both`;
 * `suspending`: names of imports, `module.name`, with `*` for any run of characters; `only`, `add`, `remove`,
 * `ignoreIndirect`: which functions are instrumented; `fastPath`: how; `metered`, `limits`: does the guest pay for its work,
 * and what may it not go beyond
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
    const { program } = this.#context;
    const settings = await readSettings(this.#options, this.#context);
    refuseOptions(program, settings);
    const suspending = findSuspending(program, settings.suspending);
    const description = describe(program, suspending.elements, (name) => this.#constant(module, name), this.#report);
    if (this.#report.errors > 0) return;
    module.addCustomSection(TYPES_SECTION, new TextEncoder().encode(JSON.stringify(description.section)));
    const output = this.#output(module, settings, suspending);
    refuseCollecting(program, output, this.#report);
    if (this.#report.errors > 0) return;
    const made = this.#instrument(output, settings, suspending);
    if (made === null) return;
    for (const warning of made.warnings) this.#warn(warning);
    if (settings.asc.noEmit !== true) await this.#write(description, settings, made);
  }

  #output(module: OutputModule, settings: Settings, suspending: SuspendingImports): Output {
    const { program, binaryen } = this.#context;
    const { asc, target, only, add, remove, ignoreIndirect, fastPath, metered, limits } = settings;
    return new Output(binaryen, module, program, {
      target,
      suspending: [...suspending.names],
      only,
      add,
      remove,
      ignoreIndirect,
      ...(fastPath !== null && { fastPath }),
      metered,
      limits,
      sourceMapUrls: sourceMapUrls(asc, target),
      zeroFilledMemory: program.options.importMemory && asc.zeroFilledMemory === true,
      // asc is in the middle of a synchronous function, and waits for nobody. What it writes itself it begins after this.
      onNewPair: (jspi) => void this.#writeFiles(this.#pairedFiles(settings, jspi)),
    });
  }

  /** Null if it could not be done, and the source lines at fault have been reported. */
  #instrument(output: Output, { target }: Settings, suspending: SuspendingImports): Made | null {
    const { program } = this.#context;
    // The engine keeps references where it keeps the stack: only Asyncify cannot.
    const before = target !== 'jspi' && usesReferences(program) ? output.emitCompiled().binary : null;
    try {
      return output.run();
    } catch (error) {
      if (!(error instanceof NotInstrumentable)) throw error;
      const held = before === null ? [] : heldReferences(program, before, [...suspending.names]);
      for (const { fn, local, at } of held) {
        const what =
          local === null
            ? `The function "${fn.internalName}" has a value on its way into an expression that is a reference to an object of the host's (externref or the like)`
            : `The variable "${local.name}" of the function "${fn.internalName}" is a reference to an object of the host's (${showType(local.type)})`;
        this.#report.error(
          `${what} that is still needed after a call that may wait; Asyncify could not keep it in memory meanwhile. Keep a number or a string that stands for it, ask for it again after the call, or compile for JSPI alone ("target": "jspi").`,
          at,
        );
      }
      if (held.length === 0) throw error.cause;
      return null;
    }
  }

  /** The value of an immutable global of the module as it was compiled. */
  #constant(module: OutputModule, name: string): number | null {
    const { binaryen } = this.#context;
    const { value } = binaryen.getExpressionInfo(binaryen.getGlobalInfo(module.getGlobal(name)).init);
    return typeof value === 'number' ? value : null;
  }

  async #write(description: Description, settings: Settings, { jspi }: Made): Promise<void> {
    const { program, stderr } = this.#context;
    const { outFile } = settings.asc;
    if (!outFile) {
      const skipped = jspi === null ? '' : ' and the module for JSPI';
      stderr.write(`Skipped JavaScript and TypeScript bindings of wasm-fibers${skipped} (no output path)\n`);
      return;
    }
    const enums = writableEnums(description);
    for (const { name } of description.enums.filter((each) => !enums.includes(each))) {
      this.#warn(
        `The enumeration "${name}" is left out of the bindings: its name is one that they need, or the value of a member is known only at run time.`,
      );
    }
    const base = withoutExtension(outFile);
    const wasm = path.basename(outFile);
    await this.#writeFiles([
      ...(jspi === null ? [] : this.#pairedFiles(settings, jspi)),
      { name: `${base}.js`, contents: writeJavaScript(wasm, jspi === null ? null : pairedName(wasm), enums) },
      { name: `${base}.d.ts`, contents: writeTypeScript(description, program, wasm) },
    ]);
  }

  #pairedFiles({ asc, target }: Settings, jspi: Emitted): readonly OutputFile[] {
    const { outFile, noEmit } = asc;
    if (!outFile || noEmit === true) return [];
    return pairedFiles(jspi, outFile, sourceMapUrls(asc, target)?.jspi ?? null, this.#context.program);
  }

  async #writeFiles(files: readonly OutputFile[]): Promise<void> {
    const { writeFile, baseDir } = this.#context;
    for (const { name, contents } of files) {
      if ((await writeFile(name, contents, baseDir)) === false) {
        throw new Refusal(`The file ${path.join(baseDir, name)} could not be written.`);
      }
    }
  }

  #warn(sentence: string): void {
    this.#context.stderr.write(`WARNING ${sentence}\n`);
  }
}

function refuseOptions(program: Program, { asc, target }: Settings): void {
  const { sharedMemory, isWasm64, sourceMap } = program.options;
  if (sharedMemory) {
    throw new Refusal('Fibers and --sharedMemory do not go together: other threads would see a fiber halfway.');
  }
  if (isWasm64) throw new Refusal('wasm-fibers needs a 32-bit memory.');
  if (sourceMap !== (sourceMapUrls(asc, target) !== null)) {
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
  if (target === 'both' && asc.outFile === '') {
    throw new Refusal(
      'The target "both" makes two modules, which standard output cannot tell apart: give --outFile a name.',
    );
  }
  if (/\.(?:js|ts)$/.test(outFile)) throw new Refusal(`The module cannot be called ${outFile}: its bindings are.`);
}
