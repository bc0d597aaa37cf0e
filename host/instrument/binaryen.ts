/**
 * Binaryen: the one place that loads it, the part of its interface that we use, and what tames it. Three things hold:
 * a caller may bring an instance of its own (asc does); the options and pass arguments of an instance, which are global
 * to it, are put back after use; and a fatal error, which Binaryen throws as an opaque object, becomes a sentence. After
 * an abort an instance is not to be trusted: it is dropped, and the next call loads a fresh one.
 */
import { FiberError } from '../errors.ts';

/** An address inside Binaryen: of an expression, a function, a type. */
export type Ref = number;

export interface Memory {
  load(offset: number, align: number, pointer: Ref): Ref;
  store(offset: number, align: number, pointer: Ref, value: Ref): Ref;
}

/** What passes use of a binaryen.js module. The package's own declarations lag behind it. */
export interface BinaryenModule {
  readonly ptr: Ref;
  readonly local: {
    get(index: number, type: Ref): Ref;
    set(index: number, value: Ref): Ref;
    tee(index: number, value: Ref, type: Ref): Ref;
  };
  readonly global: { get(name: string, type: Ref): Ref; set(name: string, value: Ref): Ref };
  readonly i32: Memory & {
    const(value: number): Ref;
    add(left: Ref, right: Ref): Ref;
    sub(left: Ref, right: Ref): Ref;
    eqz(value: Ref): Ref;
    eq(left: Ref, right: Ref): Ref;
    ne(left: Ref, right: Ref): Ref;
    and(left: Ref, right: Ref): Ref;
    or(left: Ref, right: Ref): Ref;
    shr_u(left: Ref, right: Ref): Ref;
    gt_s(left: Ref, right: Ref): Ref;
    gt_u(left: Ref, right: Ref): Ref;
    lt_u(left: Ref, right: Ref): Ref;
    le_u(left: Ref, right: Ref): Ref;
  };
  readonly i64: Memory & { const(value: bigint): Ref };
  readonly f32: Memory & { const(value: number): Ref; demote(value: Ref): Ref };
  readonly f64: Memory & { const(value: number): Ref };
  readonly v128: Memory & { const(bytes: readonly number[]): Ref };
  readonly ref: { null(type: Ref): Ref };
  readonly tuple: { make(values: readonly Ref[]): Ref; extract(tuple: Ref, index: number): Ref };
  nop(): Ref;
  drop(value: Ref): Ref;
  loop(label: string | null, body: Ref): Ref;
  br(label: string, condition?: undefined, value?: Ref): Ref;
  br_if(label: string, condition: Ref): Ref;
  switch(labels: readonly string[], otherwise: string, index: Ref): Ref;
  /** `type` is `auto` for that of the last child: without it a block has none. */
  block(label: string | null, children: readonly Ref[], type: Ref): Ref;
  if(condition: Ref, ifTrue: Ref, ifFalse?: Ref): Ref;
  call(name: string, operands: readonly Ref[], type: Ref): Ref;
  call_indirect(table: string, target: Ref, operands: readonly Ref[], params: Ref, results: Ref): Ref;
  return(value?: Ref): Ref;
  unreachable(): Ref;
  addFunction(name: string, params: Ref, results: Ref, vars: readonly Ref[], body: Ref): Ref;
  removeFunction(name: string): void;
  getFunctionByIndex(index: number): Ref;
  getNumFunctions(): number;
  addGlobal(name: string, type: Ref, mutable: boolean, init: Ref): Ref;
  addTable(name: string, initial: number, maximum: number, type: Ref): Ref;
  addActiveElementSegment(table: string, name: string, functions: readonly string[], offset: Ref): Ref;
  addFunctionImport(internal: string, module: string, base: string, params: Ref, results: Ref): void;
  addFunctionExport(internal: string, external: string): Ref;
  getFeatures(): number;
  setFeatures(features: number): void;
  addCustomSection(name: string, contents: Uint8Array): void;
  addDebugInfoFileName(name: string): number;
  setDebugLocation(func: Ref, expression: Ref, file: number, line: number, column: number): void;
  validate(): number;
  optimize(): void;
  runPasses(passes: readonly string[]): void;
  runPassesOnFunction(func: string | Ref, passes: readonly string[]): void;
  emitBinary(): Uint8Array;
  emitBinary(sourceMapUrl: string): { binary: Uint8Array; sourceMap: string | null };
  emitText(): string;
  dispose(): void;
}

/** What we use of binaryen.js. The `binaryen` of npm and the one inside `assemblyscript` both have it. */
export interface Binaryen {
  readonly none: Ref;
  readonly i32: Ref;
  readonly i64: Ref;
  readonly f32: Ref;
  readonly f64: Ref;
  readonly v128: Ref;
  readonly funcref: Ref;
  readonly auto: Ref;
  readonly unreachable: Ref;
  readonly Features: Readonly<Record<string, number>>;
  emitText(expression: Ref): string;
  createType(types: readonly Ref[]): Ref;
  expandType(type: Ref): Ref[];
  readBinary(data: Uint8Array, features: number): BinaryenModule;
  getOptimizeLevel(): number;
  setOptimizeLevel(level: number): void;
  getShrinkLevel(): number;
  setShrinkLevel(level: number): void;
  getDebugInfo(): boolean;
  setDebugInfo(on: boolean): void;
  getPassArgument(key: string): string | null;
  setPassArgument(key: string, value: string | null): void;
  getExceptionMessage(error: unknown): readonly [type: string, message: string] | string;
  /** The C interface, which binaryen.js exposes under the names of binaryen-c.h. */
  readonly [raw: `_${string}`]: unknown;
}

/** Pass arguments that we set; all of them are put back. */
const ARGUMENTS = [
  'asyncify-imports',
  'asyncify-onlylist',
  'asyncify-addlist',
  'asyncify-propagate-addlist',
  'asyncify-removelist',
  'asyncify-asserts',
  'no-inline',
] as const;
export type PassArgument = (typeof ARGUMENTS)[number];

const INSTALL = 'Install it as a development dependency: npm i -D binaryen';
let loaded: Promise<Binaryen> | null = null;
let generation = 0;

/**
 * Loads Binaryen, once per process unless an instance had to be dropped.
 *
 * @throws FiberError `BINARYEN_MISSING`
 */
export function loadBinaryen(): Promise<Binaryen> {
  loaded ??= importBinaryen();
  return loaded;
}

async function importBinaryen(): Promise<Binaryen> {
  try {
    if (generation === 0) {
      const module = await import('binaryen');
      return module.default as unknown as Binaryen;
    }
    // The module cache would give the broken instance again; another query is another module.
    const url = new URL(import.meta.resolve('binaryen'));
    url.search = `?generation=${generation}`;
    const module: unknown = await import(url.href);
    return (module as { default: Binaryen }).default;
  } catch (cause) {
    loaded = null;
    const missing =
      cause instanceof Error &&
      /Cannot find (package|module)|Failed to resolve|ERR_MODULE_NOT_FOUND/.test(String(cause));
    throw new FiberError(
      'BINARYEN_MISSING',
      missing
        ? `Instrumenting needs the package binaryen, which is not installed. ${INSTALL}`
        : `Instrumenting needs the package binaryen, which could not be loaded (${String(cause)}). ${INSTALL}`,
      { cause },
    );
  }
}

/**
 * Runs `work` with an instance whose global options are put back afterwards, and turns Binaryen's own failures into
 * `BINARYEN_FAILED`.
 *
 * @param doing what to say that was being done, as in "while reading the module"
 */
export function guarded<T>(binaryen: Binaryen, doing: () => string, work: () => T): T {
  const optimizeLevel = binaryen.getOptimizeLevel();
  const shrinkLevel = binaryen.getShrinkLevel();
  const debugInfo = binaryen.getDebugInfo();
  const before = ARGUMENTS.map((key) => binaryen.getPassArgument(key));
  for (const key of ARGUMENTS) binaryen.setPassArgument(key, null);
  let broken = false;
  try {
    return work();
  } catch (error) {
    if (error instanceof FiberError) throw error;
    const message = fatalMessage(binaryen, error);
    if (message === null) {
      broken = true;
      drop();
    }
    throw new FiberError('BINARYEN_FAILED', `Binaryen failed while ${doing()}: ${message ?? describeAbort(error)}`, {
      cause: error,
    });
  } finally {
    if (!broken) {
      binaryen.setOptimizeLevel(optimizeLevel);
      binaryen.setShrinkLevel(shrinkLevel);
      binaryen.setDebugInfo(debugInfo);
      for (const [index, key] of ARGUMENTS.entries()) binaryen.setPassArgument(key, before[index] ?? null);
    }
  }
}

/** Forgets the shared instance: it aborted in the middle of something. */
function drop(): void {
  generation += 1;
  loaded = null;
}

/** Message of an error that Binaryen threw on purpose; null if it aborted or trapped. */
function fatalMessage(binaryen: Binaryen, error: unknown): string | null {
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) return null;
  try {
    const message = binaryen.getExceptionMessage(error);
    const text = typeof message === 'string' ? message : message[1];
    return text.replace(/^Fatal: /, '').trim() || 'it gave no reason.';
  } catch {
    return error instanceof Error ? error.message : String(error);
  }
}

function describeAbort(error: unknown): string {
  if (error instanceof RangeError) {
    return 'it ran out of native stack. Run it with a larger one (node --stack-size=4000, or in a Worker with resourceLimits.stackSizeMb), or with a lower -O level.';
  }
  const text = error instanceof Error ? error.message : String(error);
  return `it aborted (${text.split('\n', 1)[0] ?? ''}). This is a limit or a bug of Binaryen; a lower -O level may avoid it.`;
}
