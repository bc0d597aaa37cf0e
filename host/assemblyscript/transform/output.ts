/**
 * What asc emits instead of the module that it compiled. The module is optimised and instrumented before asc goes on, so
 * that whatever is refused is refused while nothing has been written; asc's own optimisation then finds nothing left to do.
 * A module that changed in between all the same (other transforms, --runPasses, --converge) is instrumented again.
 */
import { createHash } from 'node:crypto';
import type { Binaryen } from '../../instrument/binaryen.ts';
import type { InstrumentOptions } from '../../instrument/options.ts';
import { functionImports, readOutline } from '../../instrument/binary/module.ts';
import { instrumentSync } from '../../instrument/synchronous.ts';
import type { InstrumentResult } from '../../instrument/synchronous.ts';
import type { CompilerOptions, OutputModule, Program } from './asc.ts';

/** What asc's `emitBinary` makes with an argument. */
interface Emitted {
  readonly binary: Uint8Array;
  /** Empty without a URL. */
  readonly sourceMap: string;
}

export class Output {
  readonly #binaryen: Binaryen;
  readonly #module: OutputModule;
  readonly #emit: (url: string | null) => Emitted;
  readonly #options: InstrumentOptions;
  readonly #compiler: CompilerOptions;
  #last: { input: Emitted; url: string | null; result: InstrumentResult } | null = null;

  constructor(binaryen: Binaryen, module: OutputModule, program: Program, options: InstrumentOptions) {
    this.#binaryen = binaryen;
    this.#module = module;
    this.#options = options;
    this.#compiler = program.options;
    this.#emit = module.emitBinary.bind(module) as unknown as (url: string | null) => Emitted;
  }

  /** Optimises and instruments the module. @throws FiberError */
  prepare(program: Program, sourceMapUrl: string | null): InstrumentResult {
    const { optimizeLevelHint, shrinkLevelHint, debugInfo } = this.#compiler;
    const ascModule = program.module;
    const optimize = ascModule.optimize.bind(ascModule);
    optimize(optimizeLevelHint, shrinkLevelHint, debugInfo, false);
    const result = this.#instrument(this.#emitNamed(sourceMapUrl), sourceMapUrl);
    ascModule.optimize = (...levels): void => {
      if (!this.#unchanged()) optimize(...levels);
    };
    this.#replaceMethods();
    return result;
  }

  #unchanged(): boolean {
    if (this.#last === null) return false;
    return sameBytes(this.#emitNamed(this.#last.url).binary, this.#last.input.binary);
  }

  #replaceMethods(): void {
    const module = this.#module;
    const plain = module.emitBinary.bind(module);
    const emitBinary = (...args: [] | [string | null]): unknown => {
      if (args.length === 0) return plain();
      const [url] = args;
      const { wasm, sourceMap } = this.#instrument(this.#emitNamed(url), url);
      return { binary: wasm, sourceMap: sourceMap ?? '' };
    };
    module.emitBinary = emitBinary as OutputModule['emitBinary'];
    const text = (emit: 'emitText' | 'emitStackIR') => (): string => {
      const url = this.#last?.url ?? null;
      const { wasm } = this.#instrument(this.#emitNamed(url), url);
      const { Features } = this.#binaryen;
      const read = this.#binaryen.readBinary(wasm, Features['All'] ?? 0) as unknown as OutputModule & {
        dispose(): void;
      };
      try {
        return read[emit]();
      } finally {
        read.dispose();
      }
    };
    module.emitText = text('emitText');
    module.emitStackIR = text('emitStackIR');
  }

  /** With names, which the lists of functions and all messages need; `debugNames` decides whether they stay. */
  #emitNamed(url: string | null): Emitted {
    const before = this.#binaryen.getDebugInfo();
    this.#binaryen.setDebugInfo(true);
    try {
      return this.#emit(url);
    } finally {
      this.#binaryen.setDebugInfo(before);
    }
  }

  /** The suspending imports that optimisation has left. */
  #used(binary: Uint8Array): string[] {
    const names = functionImports(readOutline(binary)).map((each) => `${each.module}.${each.name}`);
    return this.#options.suspending.filter((name) => names.includes(name));
  }

  #instrument(input: Emitted, url: string | null): InstrumentResult {
    const last = this.#last;
    if (last !== null && last.url === url && sameBytes(last.input.binary, input.binary)) return last.result;
    const { optimizeLevelHint, shrinkLevelHint, debugInfo } = this.#compiler;
    const result = instrumentSync(
      input.binary,
      {
        ...this.#options,
        suspending: this.#used(input.binary),
        binaryen: this.#binaryen,
        debugNames: debugInfo,
        // asc has optimised what the program says; what is left is the code that instrumentation added.
        optimizeLevel: optimizeLevelHint > 0 || shrinkLevelHint > 0 ? 1 : 0,
        shrinkLevel: shrinkLevelHint > 1 ? 2 : shrinkLevelHint > 0 ? 1 : 0,
        ...(url === null ? {} : { sourceMap: input.sourceMap, sourceMapUrl: url }),
      },
      (bytes) => createHash('sha256').update(bytes).digest('hex'),
      true,
    );
    this.#last = { input, url, result };
    return result;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
