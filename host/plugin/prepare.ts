/**
 * From the bytes of a plugin to a compiled module that can be limited, and the decision whether it is loaded at all.
 *
 * An instrumented module decides by itself when it yields and what it counts, so that one from a stranger could do neither. What
 * is loaded is a module as its compiler made it, which is instrumented here; or an instrumented one that the embedder has made
 * and lists by its SHA-256.
 */
import { isProvided } from '../assemblyscript/provided.ts';
import { TYPES_SECTION } from '../assemblyscript/types.ts';
import { stackSwitching } from '../backends/engine.ts';
import { FiberError } from '../errors.ts';
import type { BackendKind } from '../index.ts';
import type { InstrumentOptions } from '../instrument/index.ts';
import { type ImportSignature, type Metadata, SECTION, readMetadata } from '../runtime/metadata.ts';
import { type SourceMap, loadSourceMap } from '../source-maps/index.ts';
import { WASI_MODULE } from '../wasi/abi.ts';
import { suspendingImports } from '../wasi/index.ts';
import type { SettledLimits } from './limits.ts';
import { METERED, meteringOptions } from './metering.ts';
import type { ModuleBytes } from './source.ts';

/** How a module that is not instrumented is made so; what the limits and the host functions decide is not for the embedder. */
export type PluginInstrumentOptions = Omit<
  InstrumentOptions,
  'suspending' | 'target' | 'sourceMap' | 'sourceMapUrl' | 'metered' | 'limits'
>;

export interface PrepareOptions {
  readonly backend: 'auto' | BackendKind;
  readonly limits: SettledLimits;
  /** Names of limits that the embedder or the manifest has given. */
  readonly asked: readonly string[];
  /** SHA-256 of instrumented modules, hexadecimal and small. */
  readonly trusted: readonly string[];
  readonly instrument: PluginInstrumentOptions;
  /** Of the module as it is given; JSON text. */
  readonly sourceMap: string | null;
}

export interface PreparedModule {
  readonly module: WebAssembly.Module;
  readonly sha256: string;
  readonly metadata: Metadata;
  /** Of the functions that it imports, by `module.name`; where several have one name, of the first. */
  readonly signatures: ReadonlyMap<string, ImportSignature>;
  /** Does it say what its values are (AssemblyScript, compiled with the transform)? */
  readonly typed: boolean;
  readonly sourceMap: SourceMap | null;
  /** The exported functions that are the module's own. */
  readonly functions: readonly string[];
}

/** The backend that a plugin is for where the embedder leaves it open. */
export function backendOf(wanted: 'auto' | BackendKind): BackendKind {
  if (wanted !== 'auto') return wanted;
  return stackSwitching() === null ? 'asyncify' : 'jspi';
}

/**
 * @throws FiberError `UNTRUSTED_MODULE`; `LIMIT_REACHED` for a memory or tables that begin beyond their limit; `INVALID_OPTION` if a
 * limit was asked for that this module does not keep; and what `instrument` and the engine throw
 */
export async function prepare(source: ModuleBytes, options: PrepareOptions): Promise<PreparedModule> {
  const { bytes, from, sha256 } = source;
  if (!options.trusted.includes(sha256)) await refuseMixed(bytes, from);
  const given = await compile(bytes, from);
  // The engine's word for it, since that is what will be read: a section that another reader misses is none.
  if (customSections(given, SECTION) > 0 || exportsAsyncify(given)) {
    if (!options.trusted.includes(sha256)) throw untrusted(source);
    const metadata = metadataOf(given, from);
    const missed = metadata.metered ? [] : options.asked.filter((limit) => METERED.includes(limit));
    if (missed.length > 0) {
      throw new FiberError(
        'INVALID_OPTION',
        `${from} was instrumented without metering, so that the limits ${missed.join(', ')} would not hold. Instrument it with metered: true, or give the module as its compiler made it.`,
      );
    }
    return {
      module: given,
      functions: functionsOf(given),
      sha256,
      metadata,
      signatures: signaturesIn(metadata),
      typed: customSections(given, TYPES_SECTION) > 0,
      sourceMap: options.sourceMap === null ? null : await loadSourceMap(bytes, options.sourceMap),
    };
  }
  return instrumented(source, given, options);
}

/** Before the engine looks at it: see mixed-exceptions.ts. */
async function refuseMixed(bytes: Uint8Array, from: string): Promise<void> {
  const { mixesExceptions } = await import('../instrument/mixed-exceptions.ts');
  let mixes = false;
  try {
    mixes = mixesExceptions(bytes);
  } catch {
    // What cannot be read no engine takes, and it says why.
  }
  if (!mixes) return;
  throw new FiberError(
    'BAD_MODULE',
    `${from} uses both forms of exceptions, try and try_table, of which a module may have one. Compile all of it with the same.`,
  );
}

async function instrumented(
  { bytes, from, sha256 }: ModuleBytes,
  given: WebAssembly.Module,
  options: PrepareOptions,
): Promise<PreparedModule> {
  const settings: InstrumentOptions = {
    ...options.instrument,
    suspending: suspendingIn(given),
    target: backendOf(options.backend),
    ...(options.sourceMap !== null && { sourceMap: options.sourceMap }),
    ...meteringOptions(options.limits),
  };
  // A third of all that importing this entry would load, and nothing that a module in `trusted` needs.
  const [{ instrument }, { refuseUncounted }] = await Promise.all([
    import('../instrument/index.ts'),
    import('../instrument/metering/uncounted.ts'),
  ]);
  refuseUncounted(bytes, options.limits.tableElements);
  const result = await instrument(bytes, settings).catch((error: unknown) => {
    const { allocator } = options.instrument;
    const exported = functionsOf(given);
    const has = exported.includes('alloc') && exported.includes('free');
    if (!has || allocator !== undefined || !(error instanceof FiberError) || error.code !== 'NO_ALLOCATOR') throw error;
    // Pages of the host's own are out of the guest's reach, and so tried first; a guest that grows its memory has none.
    return instrument(bytes, { ...settings, allocator: ['alloc', 'free'] });
  });
  const wasm = new Uint8Array(result.wasm);
  const module = await compile(wasm, from);
  if (customSections(module, SECTION) !== 1) {
    throw new FiberError(
      'INTERNAL',
      `${from} does not say once what it was instrumented for: this is a bug in wasm-fibers.`,
    );
  }
  const metadata = metadataOf(module, from);
  return {
    functions: functionsOf(given),
    sha256,
    typed: false,
    module,
    metadata,
    signatures: signaturesIn(metadata),
    sourceMap: result.sourceMap === null ? null : await loadSourceMap(wasm, result.sourceMap),
  };
}

function metadataOf(module: WebAssembly.Module, from: string): Metadata {
  const metadata = readMetadata(module);
  if (metadata === null) {
    throw new FiberError(
      'ALREADY_INSTRUMENTED',
      `${from} was instrumented by another tool than wasm-fibers. Give the module as its compiler made it.`,
    );
  }
  return metadata;
}

function signaturesIn({ imports }: Metadata): Map<string, ImportSignature> {
  return new Map(imports.toReversed().map((each) => [`${each.module}.${each.name}`, each]));
}

/** Every host function may return a promise, but not what languages import for themselves; of WASI, those that can. */
function suspendingIn(module: WebAssembly.Module): string[] {
  const own = WebAssembly.Module.imports(module)
    .filter(({ module: from, name, kind }) => kind === 'function' && from !== WASI_MODULE && !isProvided(from, name))
    .map(({ module: from, name }) => `${from}.${name}`);
  const pattern = own.find((name) => name.includes('*'));
  if (pattern !== undefined) {
    throw new FiberError(
      'UNSUPPORTED_FEATURE',
      `The plugin imports "${pattern}": in a list of imports that may wait, * stands for other names. Rename the import.`,
    );
  }
  return [...new Set([...own, ...suspendingImports(module)])];
}

function functionsOf(module: WebAssembly.Module): string[] {
  return WebAssembly.Module.exports(module)
    .filter(({ kind, name }) => kind === 'function' && !/^(?:wasm-fibers\.|asyncify_|__fibers_)/.test(name))
    .map(({ name }) => name);
}

function customSections(module: WebAssembly.Module, name: string): number {
  return WebAssembly.Module.customSections(module, name).length;
}

function exportsAsyncify(module: WebAssembly.Module): boolean {
  return WebAssembly.Module.exports(module).some(({ name }) => name.startsWith('asyncify_'));
}

function untrusted({ from, sha256 }: ModuleBytes): FiberError {
  return new FiberError(
    'UNTRUSTED_MODULE',
    `${from} is instrumented already, and an instrumented module decides itself when it yields. Give the module as its compiler made it; or, if you have instrumented this one yourself, list it: trusted: ['${sha256}'].`,
  );
}

async function compile(bytes: Uint8Array<ArrayBuffer>, from: string): Promise<WebAssembly.Module> {
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (magic !== '\0asm' || bytes[6] === 1) {
    throw new FiberError('NOT_WASM', `${from} is no core WebAssembly module.`);
  }
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new FiberError(
      'BAD_MODULE',
      `${from} cannot be compiled by this engine: it is damaged, or needs a newer one (${cause instanceof Error ? cause.message : String(cause)}).`,
      { cause },
    );
  }
}
