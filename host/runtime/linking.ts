/**
 * Between the embedder's imports and the engine: says what is missing, by name and type, before the engine says it in
 * its own words, and lets the backend wrap every function.
 */
import { FiberError } from '../errors.ts';
import type { Backend, HostFunction, Site } from '../backends/backend.ts';
import { generatorOf, isRepeatable } from '../backends/trampolines.ts';
import type { Imports } from './api.ts';
import type { Binding } from './binding.ts';
import { type ImportSignature, isOfLibrary, type Metadata, SECTION } from './metadata.ts';
import { isMarkedSuspending } from './suspending.ts';

/** @throws FiberError `MISSING_IMPORTS` that names every one */
export function linkImports(
  module: WebAssembly.Module,
  imports: Imports,
  metadata: Metadata | null,
  backend: Backend,
  binding: Binding | null,
): Record<string, Record<string, WebAssembly.ImportValue>> {
  const signatures = new Map<string, ImportSignature[]>();
  for (const each of metadata?.imports ?? []) {
    const same = signatures.get(keyOf(each));
    if (same === undefined) signatures.set(keyOf(each), [each]);
    else same.push(each);
  }
  const linked: Record<string, Record<string, WebAssembly.ImportValue>> = Object.create(null);
  const missing: string[] = [];
  const controls: string[] = [];
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (from === SECTION && metadata !== null) {
      controls.push(name);
      continue;
    }
    const path = `${from}.${name}`;
    const types = signatures.get(keyOf({ module: from, name })) ?? [];
    const value = given(given(imports, from), name);
    if (value === undefined || (kind === 'function' && typeof value !== 'function')) {
      missing.push(
        `${path} (${[kind, ...types.slice(0, 1).map(describe)].join(' ')}${value === undefined ? '' : `, given ${typeof value}`})`,
      );
      continue;
    }
    const target = (linked[from] ??= Object.create(null) as Record<string, WebAssembly.ImportValue>);
    if (kind !== 'function') {
      target[name] = value as WebAssembly.ImportValue;
      continue;
    }
    // Checked above.
    const fn = value as HostFunction;
    // What stays in the middle of the stack deals in the guest's own values.
    const conversion = generatorOf(fn) !== null || isRepeatable(fn, path) ? null : (binding?.site(from, name) ?? null);
    target[name] = backend.link(
      { name: path, ...shape(types, metadata === null && isMarkedSuspending(fn)), conversion },
      conversion === null ? fn : conversion.wrap(fn),
    );
  }
  if (missing.some(isOfLibrary)) {
    throw new FiberError(
      'MISSING_IMPORTS',
      'The module was made by wasm-fibers/transform: instantiate it by the code that was written beside it, or by instantiate of wasm-fibers/assemblyscript.',
    );
  }
  if (missing.length > 0) {
    throw new FiberError(
      'MISSING_IMPORTS',
      `The module imports what was not given: ${missing.join(', ')}. Pass them to instantiate as { module: { name: value } }.`,
    );
  }
  if (metadata !== null) linked[SECTION] = backend.linkControls(controls);
  return linked;
}

/** A member of what the embedder gave, which may be inherited (from a class), but not from every object. */
function given<T>(from: Record<string, T> | undefined, name: string): T | undefined {
  if (from === undefined || (name in Object.prototype && !Object.hasOwn(from, name))) return undefined;
  return from[name];
}

/** `(i32, f64) -> i64` */
export function describe({ params, results }: ImportSignature): string {
  return `(${params.join(', ')}) -> ${results.length === 1 ? results[0] : `(${results.join(', ')})`}`;
}

/** No name can have this in its middle and mean another import: modules and names may themselves have dots. */
function keyOf({ module, name }: { readonly module: string; readonly name: string }): string {
  return JSON.stringify([module, name]);
}

/** What the backend has to know of an import. A module may import one name with several types, and gets one function. */
function shape(types: readonly ImportSignature[], marked: boolean): Omit<Site, 'name' | 'conversion'> {
  const [first] = types;
  const suspending = marked || types.some((each) => each.suspending);
  if (first === undefined) return { suspending, arity: -1, placeholder: undefined };
  // `false` converts to zero in every number type.
  if (types.some((each) => describe(each) !== describe(first))) return { suspending, arity: -1, placeholder: false };
  return { suspending, arity: first.params.length, placeholder: placeholder(first) };
}

/** A result of the right type for the engine to convert while the stack unwinds; Asyncify never looks at it. */
function placeholder({ results }: ImportSignature): unknown {
  const values = results.map((type) => (type === 'i64' ? 0n : type === 'funcref' || type === 'externref' ? null : 0));
  return values.length > 1 ? values : values[0];
}
