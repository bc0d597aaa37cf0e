/**
 * Binaryen's `wasm-opt` inside of this process. As a program it spends a second on compiling itself; here that is spent
 * once, and a run takes some ten milliseconds: every run is a fresh instance of the compiled module. It reads and writes
 * real files.
 *
 * What npm delivers is one script of Emscripten's, which is run as a function: of what is inside, only the bytes of the
 * module and the last statement are relied on, and both are checked.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

const require = createRequire(import.meta.url);
const SCRIPT = fileURLToPath(new URL('bin/wasm-opt', import.meta.resolve('binaryen')));
const LAST = 'createWasm().then(()=>run());';

/** How the script takes part of what surrounds it; the names are Emscripten's. */
interface Embedding {
  readonly arguments: string[];
  readonly print: (line: string) => void;
  readonly printErr: (line: string) => void;
  readonly instantiateWasm?: (
    imports: { a: WebAssembly.ModuleImports },
    receive: (instance: WebAssembly.Instance) => void,
  ) => void;
}

type Run = (embedding: Embedding, require: NodeJS.Require, folder: string, process: object) => unknown;

export class WasmOpt {
  readonly #run: Run;
  readonly #module: WebAssembly.Module;

  private constructor(run: Run, module: WebAssembly.Module) {
    this.#run = run;
    this.#module = module;
  }

  static async load(): Promise<WasmOpt> {
    const source = readFileSync(SCRIPT, 'utf8').replace(/^#!.*/, '').trimEnd();
    if (!source.endsWith(LAST)) throw new Error(`${SCRIPT} does not end with ${LAST}: see wasm-opt.ts`);
    // Without a way to instantiate, it gives what there is to compile.
    const body = `${source.slice(0, -LAST.length)}
      return Module.instantiateWasm === undefined ? findWasmBinary() : createWasm().then(() => run());`;
    const run = vm.compileFunction(body, ['Module', 'require', '__dirname', 'process'], {
      filename: SCRIPT,
    }) as unknown as Run;
    const bytes = run(SILENT, require, '', processFor([])) as Uint8Array<ArrayBuffer>;
    return new WasmOpt(run, await WebAssembly.compile(bytes));
  }

  /** @throws Error with what it printed, if it failed */
  async run(args: readonly string[]): Promise<void> {
    const printed: string[] = [];
    const process = processFor(args);
    const embedding: Embedding = {
      arguments: [...args],
      print: (line) => void printed.push(line),
      printErr: (line) => void printed.push(line),
      instantiateWasm: (imports, receive) => receive(new WebAssembly.Instance(this.#module, imports)),
    };
    let failure: unknown = null;
    try {
      await this.#run(embedding, require, '', process);
    } catch (error) {
      failure = error;
    }
    if (failure !== null || process.exitCode) {
      throw new Error(`wasm-opt ${args.join(' ')}: ${printed.join('\n') || String(failure)}`, { cause: failure });
    }
  }
}

const SILENT: Embedding = { arguments: [], print() {}, printErr() {} };

/** This process, but for what the script changes. */
function processFor(args: readonly string[]): { exitCode: number } {
  return Object.create(process, {
    argv: { value: ['node', SCRIPT, ...args] },
    exitCode: { value: 0, writable: true },
  }) as { exitCode: number };
}
