/**
 * Reads the section `wasm-fibers.types` (types.ts). A module is hostile input: every value is checked here, once, and the
 * rest trusts the result. What passes describes types that can be: every index is that of a type, every field lies within
 * its object, aligned. Whether the guest's objects are as it says is checked where they are read; a lie harms only the
 * guest that tells it.
 */
import { FiberError } from '../errors.ts';
import { parseObject } from '../runtime/metadata.ts';
import { partsOf } from './codecs.ts';
import { sizes } from './arrays.ts';
import { NUMBERS, TYPED_ARRAYS, TYPES_SECTION, TYPES_VERSION, type TypeSection, type ValueType } from './types.ts';

/** No object of AssemblyScript's is larger. */
const MAX_OBJECT_BYTES = 0x3fff_ffff;

const RUNTIMES = ['incremental', 'minimal', 'stub'];
const OBJECTS = ['string', 'buffer', 'typedarray', 'array', 'staticarray', 'record', 'reference', 'result'];

type Json = Readonly<Record<string, unknown>>;

/**
 * @throws FiberError `NOT_TYPED` if the module has no such section, `BAD_METADATA` if it is malformed, of another version,
 * or does not fit the module
 */
export function readTypes(module: WebAssembly.Module): TypeSection {
  const sections = WebAssembly.Module.customSections(module, TYPES_SECTION);
  const [section] = sections;
  if (section === undefined) {
    throw new FiberError(
      'NOT_TYPED',
      "The module does not say what its types are: it was compiled without the transform. Compile it with asc app.ts --transform wasm-fibers/transform, or instantiate it with instantiate of 'wasm-fibers', which passes numbers.",
    );
  }
  if (sections.length > 1) throw bad('there are several');
  const types = parseTypes(new Uint8Array(section));
  const functions = new Set(
    WebAssembly.Module.exports(module).flatMap(({ kind, name }) => (kind === 'function' ? [name] : [])),
  );
  if (types.start !== undefined && !functions.has(types.start)) {
    throw bad(`the module exports no function ${types.start}, which is to start it`);
  }
  for (const { name, params } of types.exports) {
    if (!functions.has(name)) throw bad(`the module exports no function ${name}`);
    if (params.some((param) => param.optional) && !functions.has('__setArgumentsLength')) {
      throw bad(`${name} has optional parameters, but the module does not export __setArgumentsLength`);
    }
  }
  return types;
}

/** The same for the bytes of the section. */
export function parseTypes(bytes: Uint8Array): TypeSection {
  const value = parseObject(bytes, bad);
  const { version } = value;
  if (version !== TYPES_VERSION) {
    const later = typeof version === 'number' && version > TYPES_VERSION;
    throw bad(
      `its format version is ${show(version)}, this package reads ${TYPES_VERSION}${later ? ': the module was compiled with a later version of wasm-fibers' : ''}`,
    );
  }
  if (!RUNTIMES.includes(value['runtime'] as string)) throw bad(`runtime is ${show(value['runtime'])}`);
  if (value['start'] !== undefined) text(value, 'start', 'the section');
  const types = arrayOf(value, 'types', '');
  types.forEach((type, index) => checkType(type, `types[${index}]`, types.length));
  // Checked, each by itself.
  checkParts(types as readonly ValueType[]);
  checkFunctions(value, types as readonly ValueType[]);
  checkGlobals(value, types as readonly ValueType[]);
  // Every field was checked above; the compiler cannot follow that.
  return value as unknown as TypeSection;
}

function bad(reason: string, cause?: unknown): FiberError {
  return new FiberError(
    'BAD_METADATA',
    `The custom section "${TYPES_SECTION}" cannot be used: ${reason}. Compile the module again with the transform of this version of wasm-fibers.`,
    { cause },
  );
}

function checkType(type: unknown, path: string, count: number): void {
  if (!isObject(type)) throw bad(`${path} is not an object`);
  const { kind } = type;
  if ((NUMBERS as readonly unknown[]).includes(kind) || kind === 'externref') return;
  if (!OBJECTS.includes(kind as string)) throw bad(`${path}.kind is ${show(kind)}`);
  unsigned(type, 'id', path);
  if (kind !== 'result' && typeof type['nullable'] !== 'boolean') throw bad(`${path}.nullable is no boolean`);
  if (kind === 'typedarray' && !(TYPED_ARRAYS as readonly unknown[]).includes(type['array'])) {
    throw bad(`${path}.array is ${show(type['array'])}`);
  }
  if (kind === 'array' || kind === 'staticarray') index(type, 'element', path, count);
  if (kind === 'reference') {
    const ids = arrayOf(type, 'subclasses', path);
    if (!ids.every((id) => typeof id === 'number' && id >>> 0 === id)) throw bad(`${path}.subclasses are no class ids`);
  }
  if (kind === 'reference' || kind === 'record' || kind === 'result') text(type, 'name', path);
  if (kind === 'record' || kind === 'result') {
    if (unsigned(type, 'size', path) > MAX_OBJECT_BYTES) throw bad(`${path}.size is ${show(type['size'])}`);
    const fields = arrayOf(type, 'fields', path);
    unique(
      fields.map((field, i) => {
        const at = `${path}.fields[${i}]`;
        if (!isObject(field)) throw bad(`${at} is not an object`);
        index(field, 'type', at, count);
        unsigned(field, 'offset', at);
        return text(field, 'name', at);
      }),
      `${path}.fields`,
    );
  }
}

/** What types say of one another. */
function checkParts(types: readonly ValueType[]): void {
  types.forEach((type, i) => {
    for (const part of partsOf(type)) {
      const { kind } = types[part] as ValueType; // The index was checked.
      if (kind === 'externref' || kind === 'result')
        throw bad(`types[${i}] (${type.kind}) contains a value of kind ${kind}`);
    }
    if (type.kind !== 'record' && type.kind !== 'result') return;
    for (const { name, offset, type: part } of type.fields) {
      const bytes = sizes(types[part] as ValueType); // As above.
      if (offset % bytes !== 0) throw bad(`the field ${name} of types[${i}] (${type.name}) is not aligned: ${offset}`);
      if (offset + bytes > type.size) {
        throw bad(`the field ${name} of types[${i}] (${type.name}) ends at ${offset + bytes} of ${type.size} bytes`);
      }
    }
    if (type.kind === 'result') checkResult(type, types, `types[${i}]`);
  });
}

function checkResult(type: ValueType & { kind: 'result' }, types: readonly ValueType[], path: string): void {
  const kindOf = (name: string): string | undefined => {
    const field = type.fields.find((each) => each.name === name);
    return field === undefined ? undefined : types[field.type]?.kind;
  };
  if (kindOf('ok') !== 'bool' || kindOf('failure') !== 'record') {
    throw bad(`${path} (${type.name}) has no fields ok and failure as a result has`);
  }
}

function checkFunctions(section: Json, types: readonly ValueType[]): void {
  const exported = arrayOf(section, 'exports', '').map((each, i) => {
    const path = `exports[${i}]`;
    checkFunction(each, path, types, false);
    return (each as { name: string }).name;
  });
  unique(exported, 'exports');
  const imported = new Map<string, string>();
  arrayOf(section, 'imports', '').forEach((each, i) => {
    const path = `imports[${i}]`;
    checkFunction(each, path, types, true);
    const { module, name, params, result } = each as { module: string; name: string; params: unknown; result: unknown };
    const key = JSON.stringify([module, name]);
    const shape = JSON.stringify([params, result]);
    // A module may import one name twice, and gets one function, which can have one type.
    if ((imported.get(key) ?? shape) !== shape) throw bad(`${path}: ${module}.${name} is imported with several types`);
    imported.set(key, shape);
  });
}

function checkFunction(value: unknown, path: string, types: readonly ValueType[], isImport: boolean): void {
  if (!isObject(value)) throw bad(`${path} is not an object`);
  text(value, 'name', path);
  if (isImport) {
    text(value, 'module', path);
    if (typeof value['suspending'] !== 'boolean') throw bad(`${path}.suspending is no boolean`);
  }
  arrayOf(value, 'params', path).forEach((param, i) => {
    const at = `${path}.params[${i}]`;
    if (!isObject(param)) throw bad(`${at} is not an object`);
    text(param, 'name', at);
    if (typeof param['optional'] !== 'boolean') throw bad(`${at}.optional is no boolean`);
    if (types[index(param, 'type', at, types.length)]?.kind === 'result') throw bad(`${at} is of kind result`);
  });
  if (value['result'] === null) return;
  if (types[index(value, 'result', path, types.length)]?.kind === 'result' && !isImport) {
    throw bad(`${path}.result is of kind result`);
  }
}

function checkGlobals(section: Json, types: readonly ValueType[]): void {
  unique(
    arrayOf(section, 'globals', '').map((each, i) => {
      const path = `globals[${i}]`;
      if (!isObject(each)) throw bad(`${path} is not an object`);
      if (typeof each['mutable'] !== 'boolean') throw bad(`${path}.mutable is no boolean`);
      if (types[index(each, 'type', path, types.length)]?.kind === 'result') throw bad(`${path} is of kind result`);
      return text(each, 'name', path);
    }),
    'globals',
  );
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function arrayOf(from: Json, name: string, path: string): readonly unknown[] {
  const value = from[name];
  if (!Array.isArray(value)) throw bad(`${path === '' ? '' : `${path}.`}${name} is no array`);
  return value;
}

function text(from: Json, name: string, path: string): string {
  const value = from[name];
  if (typeof value !== 'string') throw bad(`${path}.${name} is no string`);
  return value;
}

function unsigned(from: Json, name: string, path: string): number {
  const value = from[name];
  if (typeof value !== 'number' || value >>> 0 !== value) throw bad(`${path}.${name} is no unsigned integer`);
  return value;
}

function index(from: Json, name: string, path: string, count: number): number {
  const value = unsigned(from, name, path);
  if (value >= count) throw bad(`${path}.${name} is ${value}, of ${count} types`);
  return value;
}

function unique(names: readonly string[], path: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw bad(`${path} names ${show(name)} twice`);
    seen.add(name);
  }
}

/** A value of the section in a message: never long. */
function show(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 40);
}
