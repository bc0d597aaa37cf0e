/**
 * Between the embedder's imports and the engine: says what is missing, by name and type, before the engine says it in
 * its own words, and lets the backend wrap every function.
 */
import { FiberError } from '../errors.ts';
import type { Backend, HostFunction, Site } from '../backends/backend.ts';
import { generatorOf, isRepeatable } from '../backends/trampolines.ts';
import type { Imports } from './api.ts';
import type { Binding } from './binding.ts';
import { type ImportSignature, isOfLibrary, type Metadata, METER, SECTION } from './metadata.ts';
import { isMarkedSuspending } from './suspending.ts';

/**
 * @param watched what a metered guest is to call in the place of a host function; null for other guests
 * @throws FiberError `MISSING_IMPORTS` that names every one
 */
export function linkImports(
  module: WebAssembly.Module,
  imports: Imports,
  metadata: Metadata | null,
  backend: Backend,
  binding: Binding | null,
  watched: ((fn: HostFunction) => HostFunction) | null,
): Record<string, Record<string, WebAssembly.ImportValue>> {
  const signatures = new Map<string, Signature>();
  for (const [index, each] of (metadata?.imports ?? []).entries()) addSignature(signatures, each, index + 1);
  const linked: Record<string, Record<string, WebAssembly.ImportValue>> = Object.create(null);
  const missing: string[] = [];
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    const target = (linked[from] ??= Object.create(null) as Record<string, WebAssembly.ImportValue>);
    if (from === SECTION && metadata !== null) {
      // One that there is not is refused by the engine.
      target[name] = backend.linkControl(name) as WebAssembly.ImportValue;
      continue;
    }
    const path = `${from}.${name}`;
    const { type, suspending, ...signature } = signatures.get(keyOf(from, name)) ?? UNKNOWN;
    const value = given(given(imports, from), name);
    if (value === undefined || (kind === 'function' && typeof value !== 'function')) {
      missing.push(
        `${path} (${kind}${type}${value === undefined ? '' : `, given ${typeof value === 'object' ? Object.prototype.toString.call(value).slice(8, -1) : typeof value}`})`,
      );
      continue;
    }
    if (kind !== 'function') {
      target[name] = value as WebAssembly.ImportValue;
      continue;
    }
    // Checked above.
    const fn = value as HostFunction;
    // What stays in the middle of the stack deals in the guest's own values.
    const stays = generatorOf(fn) !== null || isRepeatable(fn, path);
    const conversion = stays ? null : (binding?.site(from, name) ?? null);
    const converted = conversion === null ? fn : conversion.wrap(fn);
    const marked = metadata === null && backend.kind === 'jspi' && isMarkedSuspending(fn);
    target[name] = backend.link(
      { name: path, suspending: suspending || marked, ...signature, pause: 0, conversion },
      stays || watched === null || from === METER ? converted : watched(converted),
    );
  }
  if (missing.some(isOfLibrary)) {
    throw new FiberError(
      'MISSING_IMPORTS',
      'The module was made by wasm-fibers/transform: use instantiate of wasm-fibers/assemblyscript, or the code that was written beside it.',
    );
  }
  if (missing.length > 0) {
    throw new FiberError(
      'MISSING_IMPORTS',
      `The module imports what was not given: ${missing.join(', ')}. Pass them to instantiate as { module: { name: value } }, functions as they are.`,
    );
  }
  return linked;
}

/** A member of what the embedder gave, which may be inherited (from a class), but not from every object. */
function given<T>(from: Record<string, T> | undefined, name: string): T | undefined {
  if (from === undefined || (name in Object.prototype && !Object.hasOwn(from, name))) return undefined;
  return from[name];
}

/** `(i32, f64) -> i64` */
function describe({ params, results }: ImportSignature): string {
  return `(${params.join(', ')}) -> ${results.length === 1 ? results[0] : `(${results.join(', ')})`}`;
}

/** No name can have this in its middle and mean another import: modules and names may themselves have dots. */
function keyOf(module: string, name: string): string {
  return JSON.stringify([module, name]);
}

/** What the backend has to know of an import. A module may import one name with several types, and gets one function. */
interface Signature extends Pick<Site, 'number'> {
  /** With a space before it. */
  readonly type: string;
  suspending: boolean;
  arity: number;
  /** A result of the right type for the engine to convert while the stack unwinds; Asyncify never looks at it. */
  placeholder: unknown;
  result: Site['result'];
}

const UNKNOWN: Signature = { type: '', suspending: false, arity: -1, placeholder: undefined, number: 0, result: null };

/** @param number its place among the imports, from 1 */
function addSignature(signatures: Map<string, Signature>, each: ImportSignature, number: number): void {
  const key = keyOf(each.module, each.name);
  const { suspending } = each;
  const type = ` ${describe(each)}`;
  const known = signatures.get(key);
  if (known === undefined) {
    const values = each.results.map((result) => (result === 'i64' ? 0n : result.includes('ref') ? null : 0));
    const placeholder = values.length > 1 ? values : values[0];
    const result = resultOf(each.results);
    signatures.set(key, { type, suspending, arity: each.params.length, placeholder, number, result });
    return;
  }
  known.suspending ||= suspending;
  if (known.type === type) return;
  known.arity = -1;
  // Converts to zero in every number type.
  known.placeholder = false;
  known.result = null;
}

function resultOf([only, ...others]: ImportSignature['results']): Site['result'] {
  if (only === undefined) return 'none';
  if (others.length > 0) return null;
  return only === 'i32' || only === 'i64' || only === 'f32' || only === 'f64' ? only : null;
}
