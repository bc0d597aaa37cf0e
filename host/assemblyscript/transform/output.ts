/**
 * What asc emits instead of the module that it compiled. The module is optimised and instrumented before asc goes on, so
 * that whatever is refused is refused while nothing has been written; asc's own optimisation then finds nothing left to do.
 * A module that changed all the same in between (--converge, --trapMode, --runPasses, other transforms) is instrumented
 * again when asc asks for its bytes.
 *
 * Instrumenting reads the module from its bytes, and leaves asc's own as it is: so the two modules of a pair are made from
 * the same bytes, whatever optimisation has done, and asc never holds either of them.
 */
import { createHash } from 'node:crypto';
import { functionImports, readOutline } from '../../instrument/binary/module.ts';
import type { InstrumentOptions } from '../../instrument/options.ts';
import { wildcard } from '../../instrument/lists.ts';
import { instrumentPrepared, prepare } from '../../instrument/synchronous.ts';
import type { InstrumentResult } from '../../instrument/synchronous.ts';
import type { Target } from '../../runtime/metadata.ts';
import type { AscBinaryen, AscModule, CompilerOptions, OutputModule, Program } from './asc.ts';
import type { TransformTarget } from './options.ts';

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

export interface OutputOptions
  extends
    Pick<InstrumentOptions, 'only' | 'add' | 'remove' | 'ignoreIndirect' | 'fastPath'>,
    Required<Pick<InstrumentOptions, 'metered' | 'limits'>> {
  readonly target: TransformTarget;
  /** `module.name` */
  readonly suspending: readonly string[];
  /** For each target the URL in its module; null if no source map is wanted. */
  readonly sourceMapUrls: Readonly<Record<Target, string>> | null;
  readonly zeroFilledMemory: boolean;
  /** The module that asc emits is another than that of `run`, and so is the second one of the pair. */
  readonly onNewPair: (jspi: Emitted) => void;
}

/** What `run` has made. */
export interface Made {
  /** Of a pair the module for JSPI, which asc knows nothing of. */
  readonly jspi: Emitted | null;
  readonly warnings: readonly string[];
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
  /** The module when it was last instrumented, and what became of it, by target and whether it has names. */
  #input: Uint8Array | null = null;
  readonly #results = new Map<string, InstrumentResult>();
  /** The module for JSPI of a pair, as it was last handed out. */
  #second: InstrumentResult | null = null;

  constructor(binaryen: AscBinaryen, module: OutputModule, program: Program, options: OutputOptions) {
    this.#binaryen = binaryen;
    this.#module = module;
    this.#ascModule = program.module;
    this.#compiler = program.options;
    this.#options = options;
    this.#emit = module.emitBinary.bind(module);
  }

  /**
   * Optimises and instruments the module, and sees to it that asc emits the result: of a pair the module for Asyncify.
   *
   * @throws FiberError for what is refused; NotInstrumentable with such an error for what Binaryen found
   */
  run(): Made {
    const { optimizeLevelHint, shrinkLevelHint, debugInfo } = this.#compiler;
    const ascModule = this.#ascModule;
    const optimize = ascModule.optimize.bind(ascModule);
    this.#keepListed();
    optimize(optimizeLevelHint, shrinkLevelHint, debugInfo, this.#options.zeroFilledMemory);
    const first = this.#instrument(this.#main, debugInfo);
    this.#second = this.#options.target === 'both' ? this.#instrument('jspi', debugInfo) : null;
    const warnings = new Set([...first.warnings, ...(this.#second?.warnings ?? [])]);
    let isFirst = true;
    ascModule.optimize = (...levels): void => {
      // The first time is what has just been done. Further ones are rounds of --converge.
      const isDone = isFirst && this.#isUnchanged();
      isFirst = false;
      if (!isDone) optimize(...levels);
    };
    this.#replaceMethods();
    return { jspi: this.#second === null ? null : emitted(this.#second), warnings: [...warnings] };
  }

  /** What asc's own module is instrumented for. */
  get #main(): Target {
    return this.#options.target === 'jspi' ? 'jspi' : 'asyncify';
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
      return this.#emit(this.#options.sourceMapUrls?.[this.#main] ?? null);
    } finally {
      this.#binaryen.setDebugInfo(before);
    }
  }

  /**
   * The same before the module is optimised, with every variable in a local of its own: at the levels that an earlier
   * compilation has left behind, Binaryen would take some of them out as it writes.
   */
  emitCompiled(): Emitted {
    const optimizeLevel = this.#binaryen.getOptimizeLevel();
    const shrinkLevel = this.#binaryen.getShrinkLevel();
    this.#binaryen.setOptimizeLevel(0);
    this.#binaryen.setShrinkLevel(0);
    try {
      return this.emitNamed();
    } finally {
      this.#binaryen.setOptimizeLevel(optimizeLevel);
      this.#binaryen.setShrinkLevel(shrinkLevel);
    }
  }

  #replaceMethods(): void {
    const module = this.#module;
    const emit = this.#emit;
    // Without an argument asc wants to know how large its module has become.
    module.emitBinary = ((...args: [] | [string | null]): Uint8Array | Emitted => {
      if (args.length === 0) return (emit as unknown as () => Uint8Array)();
      const { debugInfo } = this.#compiler;
      const first = emitted(this.#instrument(this.#main, debugInfo));
      if (this.#second !== null) {
        const before = this.#second;
        this.#second = this.#instrument('jspi', debugInfo);
        if (this.#second !== before) this.#options.onNewPair(emitted(this.#second));
      }
      return first;
    }) as OutputModule['emitBinary'];
    const text = (format: 'emitText' | 'emitStackIR') => (): string => {
      const { wasm } = this.#instrument(this.#main, true);
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
    return this.#input !== null && Buffer.compare(this.emitNamed().binary, this.#input) === 0;
  }

  /**
   * The module as it is now. As long as it does not change, the result is the same object.
   *
   * @param names are the names of functions to stay?
   */
  #instrument(target: Target, names: boolean): InstrumentResult {
    const { binary, sourceMap } = this.emitNamed();
    if (this.#input === null || Buffer.compare(this.#input, binary) !== 0) {
      this.#input = binary;
      this.#results.clear();
    }
    const key = `${target} ${names}`;
    const known = this.#results.get(key);
    if (known !== undefined) return known;
    const { suspending, sourceMapUrls, metered, limits } = this.#options;
    const outline = readOutline(binary);
    const functions = [...outline.names.functions.values()];
    // Optimisation leaves out the imports that nobody calls.
    const imports = new Set(functionImports(outline).map((each) => `${each.module}.${each.name}`));
    const prepared = prepare(
      binary,
      {
        suspending: suspending.filter((name) => imports.has(name)),
        ...(target === 'jspi' && this.#options.target === 'both' ? {} : this.#lists(functions)),
        ...(target === 'jspi' ? { target } : this.#levels()),
        metered,
        limits,
        debugNames: names,
        ...(sourceMapUrls === null ? {} : { sourceMap, sourceMapUrl: sourceMapUrls[target] }),
      },
      true,
    );
    try {
      const result = instrumentPrepared(this.#binaryen, prepared, sha256(binary));
      this.#results.set(key, result);
      return result;
    } catch (error) {
      throw new NotInstrumentable(error);
    }
  }

  /** Which functions save their frames: Asyncify's affair. Whoever asks for it and for JSPI alone is refused. */
  #lists(functions: readonly string[]): Partial<InstrumentOptions> {
    const lists = LISTS.map((list) => [list, this.#left(list, functions)] as const);
    const { ignoreIndirect = false, fastPath } = this.#options;
    return {
      ...Object.fromEntries(lists.filter(([, left]) => left.length > 0)),
      ...(ignoreIndirect && { ignoreIndirect }),
      ...(fastPath !== undefined && { fastPath }),
    };
  }

  /** asc has optimised the program; what is left is the code that Asyncify adds. The other target adds next to none. */
  #levels(): Partial<InstrumentOptions> {
    const { optimizeLevelHint, shrinkLevelHint } = this.#compiler;
    return {
      optimizeLevel: optimizeLevelHint > 0 || shrinkLevelHint > 0 ? 1 : 0,
      shrinkLevel: shrinkLevelHint >= 2 ? 2 : shrinkLevelHint === 1 ? 1 : 0,
    };
  }
}

function emitted({ wasm, sourceMap }: InstrumentResult): Emitted {
  return { binary: wasm, sourceMap: sourceMap ?? '' };
}

/** asc exports `export:NAME` for a function that takes objects, and `NAME@varargs` for one with optional parameters. */
function variants(name: string): string[] {
  return [name, `export:${name}`, `${name}@varargs`, `export:${name}@varargs`];
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
