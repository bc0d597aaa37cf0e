/**
 * asc's types as descriptors, each once. A type is entered into the list before its parts are, so that a record may
 * contain itself.
 */
import type { Field, NumberKind, TypedArrayKind, TypeIndex, ValueType } from '../types.ts';
import { CommonFlags, ElementKind, TypeFlags, TypeKind } from './asc.ts';
import type { ClassElement, Program, PropertyPrototype, Signature, Type } from './asc.ts';
import { LIBRARY } from './library.ts';

/** The rest of the sentence that begins with what is of this type. */
export class Undescribable extends Error {}

const NUMBERS: Readonly<Record<number, NumberKind>> = {
  [TypeKind.Bool]: 'bool',
  [TypeKind.I8]: 'i8',
  [TypeKind.I16]: 'i16',
  [TypeKind.I32]: 'i32',
  [TypeKind.I64]: 'i64',
  [TypeKind.Isize]: 'i32',
  [TypeKind.U8]: 'u8',
  [TypeKind.U16]: 'u16',
  [TypeKind.U32]: 'u32',
  [TypeKind.U64]: 'u64',
  [TypeKind.Usize]: 'u32',
  [TypeKind.F32]: 'f32',
  [TypeKind.F64]: 'f64',
};

const TYPED_ARRAYS: Readonly<Partial<Record<NumberKind, TypedArrayKind>>> = {
  i8: 'Int8Array',
  u8: 'Uint8Array',
  i16: 'Int16Array',
  u16: 'Uint16Array',
  i32: 'Int32Array',
  u32: 'Uint32Array',
  i64: 'BigInt64Array',
  u64: 'BigUint64Array',
  f32: 'Float32Array',
  f64: 'Float64Array',
};

/** Where asc says that it made something itself. */
const NATIVE = '~lib/native.ts';

export class TypeTable {
  readonly list: ValueType[] = [];
  readonly #program: Program;
  readonly #indices = new Map<string, TypeIndex>();
  /** The class behind a record or a reference, for its documentation. */
  readonly #classes = new Map<TypeIndex, ClassElement>();

  constructor(program: Program) {
    this.#program = program;
  }

  isVoid(type: Type): boolean {
    return type.kind === TypeKind.Void;
  }

  isResult(type: Type): boolean {
    const prototype = type.classReference?.prototype;
    return prototype?.internalName === `${LIBRARY}result/Result`;
  }

  classOf(index: TypeIndex): ClassElement | null {
    return this.#classes.get(index) ?? null;
  }

  /** @throws Undescribable */
  add(type: Type): TypeIndex {
    if (!type.isInternalReference) return this.#addPlain(type);
    const clazz = type.getClassOrWrapper(this.#program);
    if (clazz === null) throw new Undescribable(`is of the type ${type.toString()}, which has no class.`);
    // Nothing keeps an unmanaged object alive or tells what it is: its address is a number.
    if (!type.isManaged) return this.#enter('u32', () => ({ kind: 'u32' }));
    const nullable = type.is(TypeFlags.Nullable);
    const { id } = clazz;
    const key = `${id}${nullable ? '?' : ''}`;
    const is = (prototype: Parameters<ClassElement['extendsPrototype']>[0]): boolean =>
      clazz.extendsPrototype(prototype);
    const { stringInstance, arrayBufferInstance, arrayBufferViewInstance } = this.#program;
    if (is(arrayBufferInstance.prototype)) return this.#enter(key, () => ({ kind: 'buffer', id, nullable }));
    if (is(stringInstance.prototype)) return this.#enter(key, () => ({ kind: 'string', id, nullable }));
    // A class that extends one has fields of its own, which nobody would fill.
    const { arrayPrototype, staticArrayPrototype } = this.#program;
    if (clazz.prototype === arrayPrototype) return this.#enterArray(key, 'array', clazz, nullable);
    if (clazz.prototype === staticArrayPrototype) return this.#enterArray(key, 'staticarray', clazz, nullable);
    if (is(arrayBufferViewInstance.prototype)) {
      const array = this.#typedArray(clazz);
      if (array !== null) return this.#enter(key, () => ({ kind: 'typedarray', array, id, nullable }));
    }
    return isPlainObject(clazz) ? this.#enterRecord(key, clazz, nullable) : this.#enterReference(key, clazz, nullable);
  }

  /**
   * `Result<T>` as the result of an import. Its value is a getter, since no field can be of a type that may be `void`: it
   * lies where assembly/storage.ts puts it.
   */
  addResult(type: Type): TypeIndex {
    const clazz = type.getClassOrWrapper(this.#program);
    if (clazz === null) throw new Undescribable('is a Result without a class.');
    const key = `${clazz.id}!`;
    const known = this.#indices.get(key);
    if (known !== undefined) return known;
    const index = this.#reserve(key, clazz);
    const fields = this.#fields(clazz).filter(({ name }) => name === 'ok' || name === 'failure');
    const [value] = clazz.typeArguments ?? [];
    if (value !== undefined && !this.isVoid(value)) {
      const storage = clazz.members?.get(value.isManaged ? 'ref' : 'bits') as PropertyPrototype | undefined;
      const offset = storage?.instance?.memoryOffset;
      if (offset === undefined) throw new Undescribable('is a Result of another version of wasm-fibers.');
      fields.push({ name: 'value', type: this.#field(value, clazz, 'value'), offset });
    }
    this.list[index] = { kind: 'result', name: nameOf(clazz), id: clazz.id, size: clazz.nextMemoryOffset, fields };
    return index;
  }

  #addPlain(type: Type): TypeIndex {
    const kind = NUMBERS[type.kind];
    if (kind !== undefined) return this.#enter(kind, () => ({ kind }));
    if (type.kind === TypeKind.Extern) return this.#enter('externref', () => ({ kind: 'externref' }));
    const name = showType(type);
    const remedy = type.kind === TypeKind.V128 ? 'Pass its lanes, or an array.' : 'Pass an externref, or a number.';
    throw new Undescribable(
      `is of the type ${name}, which cannot pass between AssemblyScript and JavaScript. ${remedy}`,
    );
  }

  #typedArray(clazz: ClassElement): TypedArrayKind | null {
    const { arrayBufferViewInstance, uint8ClampedArrayPrototype } = this.#program;
    if (clazz.base !== arrayBufferViewInstance) return null;
    if (clazz.extendsPrototype(uint8ClampedArrayPrototype)) return 'Uint8ClampedArray';
    const kind = NUMBERS[clazz.getArrayValueType().kind];
    return (kind === undefined ? null : TYPED_ARRAYS[kind]) ?? null;
  }

  #enter(key: string, make: () => ValueType): TypeIndex {
    const known = this.#indices.get(key);
    if (known !== undefined) return known;
    const index = this.list.length;
    this.#indices.set(key, index);
    this.list.push(make());
    return index;
  }

  #reserve(key: string, clazz: ClassElement): TypeIndex {
    // Overwritten as soon as its parts are known.
    const index = this.#enter(key, () => ({ kind: 'externref' }));
    this.#classes.set(index, clazz);
    return index;
  }

  #enterArray(key: string, kind: 'array' | 'staticarray', clazz: ClassElement, nullable: boolean): TypeIndex {
    const known = this.#indices.get(key);
    if (known !== undefined) return known;
    const index = this.#reserve(key, clazz);
    const element = this.add(clazz.getArrayValueType());
    this.list[index] = { kind, element, id: clazz.id, nullable };
    return index;
  }

  #enterRecord(key: string, clazz: ClassElement, nullable: boolean): TypeIndex {
    const known = this.#indices.get(key);
    if (known !== undefined) return known;
    const index = this.#reserve(key, clazz);
    const fields = this.#fields(clazz);
    const { id } = clazz;
    this.list[index] = { kind: 'record', name: nameOf(clazz), id, size: clazz.nextMemoryOffset, fields, nullable };
    return index;
  }

  #enterReference(key: string, clazz: ClassElement, nullable: boolean): TypeIndex {
    const index = this.#enter(key, () => {
      const below = [...(clazz.extenders ?? []), ...(clazz.implementers ?? [])];
      const subclasses = [...new Set(below.map((each) => each.id))].sort((a, b) => a - b);
      return { kind: 'reference', name: nameOf(clazz), id: clazz.id, nullable, subclasses };
    });
    this.#classes.set(index, clazz);
    return index;
  }

  #fields(clazz: ClassElement): Field[] {
    const fields: Field[] = [];
    for (const member of clazz.members?.values() ?? []) {
      if (member.kind !== ElementKind.PropertyPrototype) continue;
      const property = (member as PropertyPrototype).instance;
      if (property === null || !property.isField) continue;
      const type = this.#field(property.type, clazz, property.name);
      fields.push({ name: property.name, type, offset: property.memoryOffset });
    }
    return fields;
  }

  #field(type: Type, clazz: ClassElement, name: string): TypeIndex {
    try {
      return this.add(type);
    } catch (error) {
      if (!(error instanceof Undescribable)) throw error;
      throw new Undescribable(`has a ${nameOf(clazz)}, whose field "${name}" ${error.message}`);
    }
  }
}

/**
 * asc's own rule: neither inherits nor has a constructor or members that are not public. Interfaces and abstract classes,
 * which asc lets pass, have no instances that could be made.
 */
export function isPlainObject(clazz: ClassElement): boolean {
  if (clazz.kind !== ElementKind.Class || clazz.is(CommonFlags.Abstract)) return false;
  if (clazz.base !== null && !clazz.prototype.implicitlyExtendsObject) return false;
  for (const member of clazz.members?.values() ?? []) {
    if (member.isAny(CommonFlags.Private | CommonFlags.Protected)) return false;
    const own = member.declaration.range.source.normalizedPath !== NATIVE;
    if (member.is(CommonFlags.Constructor) && own) return false;
  }
  return true;
}

/** A class's name without the path of its file, its type arguments included. */
export function nameOf(clazz: ClassElement): string {
  const args = clazz.typeArguments ?? [];
  const name = clazz.prototype.name;
  return args.length === 0 ? name : `${name}<${args.map(showType).join(', ')}>`;
}

/** A type as an author would write it. */
export function showType(type: Type): string {
  const nullable = type.is(TypeFlags.Nullable) ? ' | null' : '';
  const clazz = type.classReference;
  if (clazz !== null) return `${clazz.name === 'String' ? 'string' : nameOf(clazz)}${nullable}`;
  const signature = type.signatureReference;
  // asc writes `ref_extern | null` for externref.
  if (signature === null) return type.toString().replace(/^ref_(\w+) \| null$/, '$1ref');
  return nullable === '' ? showSignature(signature) : `(${showSignature(signature)})${nullable}`;
}

export function showSignature({ parameterTypes, returnType }: Signature): string {
  return `(${parameterTypes.map(showType).join(', ')}) => ${showType(returnType)}`;
}
