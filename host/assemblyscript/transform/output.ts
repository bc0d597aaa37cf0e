/**
 * What asc emits instead of the module that it compiled. The module is optimised and instrumented before asc goes on, so
 * that whatever is refused is refused while nothing has been written; asc's own optimisation then finds nothing left to do.
 * A module that changed all the same in between (--converge, --trapMode, --runPasses, other transforms) is instrumented
 * again when asc asks for its bytes.
 */
import { createHash } from 'node:crypto';
import { functionImports, readOutline } from '../../instrument/binary/module.ts';
import type { InstrumentOptions } from '../../instrument/options.ts';
import { wildcard } from '../../instrument/lists.ts';
import { instrumentPrepared, prepare } from '../../instrument/synchronous.ts';
import type { InstrumentResult } from '../../instrument/synchronous.ts';
import type { AscBinaryen, AscModule, CompilerOptions, OutputModule, Program } from './asc.ts';

/** What asc's `emitBinary` makes with an argument. */
export interface Emitted {
  readonly binary: Uint8Array;
  /** Empty without a URL. */
  readonly sourceMap: string;
}

/** Binaryen could not carry what the module does across a wait. */
export class NotInstrumentable extends Error {
  constructor(cause: unknown) {
    super('the module cannot be instrumented', { cause });
  }
}

export interface OutputOptions extends Pick<InstrumentOptions, 'only' | 'add' | 'remove' | 'ignoreIndirect'> {
  /** `module.name` */
  readonly suspending: readonly string[];
  /** Null if no source map is wanted. */
  readonly sourceMapUrl: string | null;
  readonly zeroFilledMemory: boolean;
}

const LISTS = ['only', 'add', 'remove'] as const;

export class Output {
  readonly #binaryen: AscBinaryen;
  readonly #module: OutputModule;
  readonly #ascModule: AscModule;
  readonly #compiler: CompilerOptions;
  readonly #options: OutputOptions;
  /** asc's own `emitBinary`. */
  readonly #emit: OutputModule['emitBinary'];
  /** Names of the functions before optimisation, if there are lists of functions. */
  #compiled: readonly string[] = [];
  #last: { readonly input: Uint8Array; readonly names: boolean; readonly result: InstrumentResult } | null = null;

  constructor(binaryen: AscBinaryen, module: OutputModule, program: Program, options: OutputOptions) {
    this.#binaryen = binaryen;
    this.#module = module;
    this.#ascModule = program.module;
    this.#compiler = program.options;
    this.#options = options;
    this.#emit = module.emitBinary.bind(module);
  }

  /**
   * Optimises and instruments the module, and sees to it that asc emits the result.
   *
   * @throws FiberError for what is refused; NotInstrumentable with such an error for what Binaryen found
   */
  run(): InstrumentResult {
    const { optimizeLevelHint, shrinkLevelHint, debugInfo } = this.#compiler;
    const ascModule = this.#ascModule;
    const optimize = ascModule.optimize.bind(ascModule);
    this.#keepListed();
    optimize(optimizeLevelHint, shrinkLevelHint, debugInfo, this.#options.zeroFilledMemory);
    const result = this.#instrument(debugInfo);
    let isFirst = true;
    ascModule.optimize = (...levels): void => {
      // The first time is what has just been done. Further ones are rounds of --converge.
      const isDone = isFirst && this.#isUnchanged();
      isFirst = false;
      if (!isDone) optimize(...levels);
    };
    this.#replaceMethods();
    return result;
  }

  /** Functions that a list names are not inlined: in another function they could no longer be told apart. */
  #keepListed(): void {
    const listed = LISTS.flatMap((list) => this.#options[list] ?? []);
    if (listed.length === 0) return;
    this.#compiled = [...readOutline(this.emitNamed().binary).names.functions.values()];
    for (const pattern of listed) {
      this.#binaryen.setPassArgument('no-inline', pattern);
      this.#module.runPasses(['no-inline']);
    }
    this.#binaryen.setPassArgument('no-inline', null);
  }

  /**
   * A list for the module as it is now: without functions that optimisation has removed, and with those that asc puts
   * around an export.
   */
  #left(list: (typeof LISTS)[number], names: readonly string[]): readonly string[] {
    const entries = this.#options[list] ?? [];
    const left = entries.flatMap((entry) => {
      const found = variants(entry).filter((each) => names.some(wildcard(each)));
      const isRemoved = found.length === 0 && this.#compiled.some(wildcard(entry));
      return found.length > 0 || isRemoved ? found : [entry];
    });
    // An empty list of the functions to instrument would mean all of them.
    return list === 'only' && left.length === 0 ? entries : left;
  }

  /** The module as it is, with the names of functions, by which lists and messages speak of them. */
  emitNamed(): Emitted {
    const before = this.#binaryen.getDebugInfo();
    this.#binaryen.setDebugInfo(true);
    try {
      return this.#emit(this.#options.sourceMapUrl);
    } finally {
      this.#binaryen.setDebugInfo(before);
    }
  }

  #replaceMethods(): void {
    const module = this.#module;
    const emit = this.#emit;
    // Without an argument asc wants to know how large its module has become.
    module.emitBinary = ((...args: [] | [string | null]): Uint8Array | Emitted => {
      if (args.length === 0) return (emit as unknown as () => Uint8Array)();
      const { wasm, sourceMap } = this.#instrument(this.#compiler.debugInfo);
      return { binary: wasm, sourceMap: sourceMap ?? '' };
    }) as OutputModule['emitBinary'];
    const text = (format: 'emitText' | 'emitStackIR') => (): string => {
      const { wasm } = this.#instrument(true);
      const read = this.#binaryen.readBinary(wasm, this.#binaryen.Features['All'] ?? 0) as unknown as OutputModule;
      try {
        return read[format]();
      } finally {
        read.dispose();
      }
    };
    module.emitText = text('emitText');
    module.emitStackIR = text('emitStackIR');
  }

  #isUnchanged(): boolean {
    return this.#last !== null && Buffer.compare(this.emitNamed().binary, this.#last.input) === 0;
  }

  /** @param names are the names of functions to stay? */
  #instrument(names: boolean): InstrumentResult {
    const { binary, sourceMap } = this.emitNamed();
    const last = this.#last;
    if (last !== null && last.names === names && Buffer.compare(last.input, binary) === 0) return last.result;
    const { optimizeLevelHint, shrinkLevelHint } = this.#compiler;
    const { ignoreIndirect = false, suspending, sourceMapUrl } = this.#options;
    const outline = readOutline(binary);
    const functions = [...outline.names.functions.values()];
    // Optimisation leaves out the imports that nobody calls.
    const imports = new Set(functionImports(outline).map((each) => `${each.module}.${each.name}`));
    const isOptimised = optimizeLevelHint > 0 || shrinkLevelHint > 0;
    const prepared = prepare(
      binary,
      {
        suspending: suspending.filter((name) => imports.has(name)),
        only: this.#left('only', functions),
        add: this.#left('add', functions),
        remove: this.#left('remove', functions),
        ignoreIndirect,
        debugNames: names,
        // asc has optimised the program; what is left is the code that instrumentation adds.
        optimizeLevel: isOptimised ? 1 : 0,
        shrinkLevel: shrinkLevelHint >= 2 ? 2 : shrinkLevelHint === 1 ? 1 : 0,
        ...(sourceMapUrl === null ? {} : { sourceMap, sourceMapUrl }),
      },
      true,
    );
    try {
      const result = instrumentPrepared(this.#binaryen, prepared, sha256(binary));
      this.#last = { input: binary, names, result };
      return result;
    } catch (error) {
      throw new NotInstrumentable(error);
    }
  }
}

/** asc exports `export:NAME` for a function that takes objects, and `NAME@varargs` for one with optional parameters. */
function variants(name: string): string[] {
  return [name, `export:${name}`, `${name}@varargs`, `export:${name}@varargs`];
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
