/**
 * The part of asc that the transform uses, in the shapes that asc 0.28 has. Its own declarations are not used: they would
 * have to be installed wherever ours are read, and their enumerations cannot be imported under `isolatedModules`.
 */
import type { Binaryen, Ref } from '../../instrument/binaryen.ts';

/** Numbers of asc's enumerations; a test holds them against asc. */
export const ElementKind = {
  Global: 0,
  Enum: 2,
  EnumValue: 3,
  FunctionPrototype: 4,
  Function: 5,
  Class: 7,
  Namespace: 12,
  PropertyPrototype: 10,
} as const;

export const CommonFlags = {
  Const: 0x8,
  Static: 0x20,
  Readonly: 0x40,
  Abstract: 0x80,
  Private: 0x200,
  Protected: 0x400,
  Ambient: 0x8000,
  Generic: 0x10000,
  Constructor: 0x80000,
  ModuleImport: 0x200000,
  Compiled: 0x800000,
  Inlined: 0x2000000,
} as const;

export const TypeKind = {
  Bool: 0,
  I8: 1,
  I16: 2,
  I32: 3,
  I64: 4,
  Isize: 5,
  U8: 6,
  U16: 7,
  U32: 8,
  U64: 9,
  Usize: 10,
  F32: 11,
  F64: 12,
  V128: 13,
  Extern: 14,
  Void: 25,
} as const;

export const TypeFlags = { Nullable: 0x200 } as const;

export const NodeKind = {
  Parameter: 6,
  Identifier: 7,
  Literal: 17,
  PropertyAccess: 22,
  ClassDeclaration: 52,
  EnumDeclaration: 53,
  FieldDeclaration: 55,
  FunctionDeclaration: 56,
  MethodDeclaration: 59,
  NamespaceDeclaration: 60,
  VariableDeclaration: 62,
} as const;

export const DecoratorKind = { Custom: 0, External: 9, ExternalJs: 10 } as const;

export const LiteralKind = { String: 2 } as const;

export const SourceKind = { UserEntry: 1 } as const;

export interface Source {
  readonly sourceKind: number;
  /** With its extension, `~lib/` in front for libraries. */
  readonly normalizedPath: string;
  readonly internalPath: string;
  readonly simplePath: string;
  readonly text: string;
  readonly statements: readonly Node[];
  /** 1-based. Sets what `columnAt` answers. */
  lineAt(position: number): number;
  columnAt(): number;
}

export interface Range {
  readonly start: number;
  readonly end: number;
  readonly source: Source;
}

export interface Node {
  readonly kind: number;
  readonly range: Range;
}

export interface Identifier extends Node {
  readonly text: string;
}

export interface Decorator extends Node {
  readonly name: Node;
  readonly decoratorKind: number;
  readonly args: readonly Node[] | null;
}

export interface StringLiteral extends Node {
  readonly literalKind: number;
  readonly value: string;
}

export interface Declaration extends Node {
  readonly name: Identifier;
  readonly decorators: readonly Decorator[] | null;
  readonly flags: number;
  readonly overriddenModuleName: string | null;
}

export interface NamespaceDeclaration extends Declaration {
  readonly members: readonly Declaration[];
}

export interface ClassDeclaration extends Declaration {
  readonly members: readonly Declaration[];
}

export interface Element {
  readonly kind: number;
  readonly name: string;
  readonly internalName: string;
  readonly parent: Element;
  readonly members: ReadonlyMap<string, Element> | null;
  readonly declaration: Declaration;
  is(flags: number): boolean;
  isAny(flags: number): boolean;
}

export interface File extends Element {
  readonly source: Source;
  readonly exports: ReadonlyMap<string, Element> | null;
  readonly exportsStar: readonly File[] | null;
  /** Of the code at its top level. */
  readonly startFunction: FunctionElement;
}

export interface GlobalElement extends Element {
  readonly type: Type;
}

export interface EnumValue extends Element {
  /** A `long`: its low half is the value. */
  readonly constantIntegerValue: { readonly low: number };
  readonly isImmutable: boolean;
}

export interface FunctionElement extends Element {
  readonly prototype: Element;
  readonly signature: Signature;
  readonly localsByIndex: readonly Local[];
  getParameterName(index: number): string;
}

export interface Local extends Element {
  readonly index: number;
  readonly type: Type;
}

export interface FunctionPrototype extends Element {
  readonly instances: ReadonlyMap<string, FunctionElement> | null;
}

export interface Signature {
  readonly parameterTypes: readonly Type[];
  readonly requiredParameters: number;
  readonly thisType: Type | null;
  readonly returnType: Type;
}

export interface ClassPrototype extends Element {
  readonly implicitlyExtendsObject: boolean;
}

export interface ClassElement extends Element {
  readonly id: number;
  readonly type: Type;
  readonly base: ClassElement | null;
  readonly prototype: ClassPrototype;
  readonly typeArguments: readonly Type[] | null;
  /** Bytes that its fields take. */
  readonly nextMemoryOffset: number;
  /** All classes that extend it, and that implement it, directly or not; null if there are none. */
  readonly extenders: ReadonlySet<ClassElement> | null;
  readonly implementers: ReadonlySet<ClassElement> | null;
  extendsPrototype(prototype: Element): boolean;
  getArrayValueType(): Type;
}

/** Of a field, a getter or a setter; `instance` is null for those that nobody uses. */
export interface PropertyPrototype extends Element {
  /** Null if it is not a field. Its `declaration` then is one that asc has made. */
  readonly fieldDeclaration: Declaration | null;
  readonly instance:
    | (Element & { readonly type: Type; readonly isField: boolean; readonly memoryOffset: number })
    | null;
}

export interface Type {
  readonly kind: number;
  readonly size: number;
  readonly classReference: ClassElement | null;
  readonly signatureReference: Signature | null;
  readonly isInternalReference: boolean;
  readonly isManaged: boolean;
  is(flags: number): boolean;
  getClassOrWrapper(program: Program): ClassElement | null;
  toString(): string;
}

export interface Parser {
  parseFile(text: string | null, path: string, isEntry: boolean): void;
}

export interface CompilerOptions {
  readonly runtime: number;
  readonly debugInfo: boolean;
  readonly sourceMap: boolean;
  readonly stackSize: number;
  readonly sharedMemory: boolean;
  readonly importMemory: boolean;
  readonly importTable: boolean;
  readonly isWasm64: boolean;
  readonly exportMemory: boolean;
  readonly exportTable: boolean;
  readonly exportRuntime: boolean;
  readonly exportStart: string | null;
  readonly optimizeLevelHint: number;
  readonly shrinkLevelHint: number;
}

export interface Program {
  readonly options: CompilerOptions;
  readonly parser: Parser;
  sources: Source[];
  readonly filesByName: ReadonlyMap<string, File>;
  readonly instancesByName: ReadonlyMap<string, Element>;
  readonly moduleImports: ReadonlyMap<string, ReadonlyMap<string, Element>>;
  readonly module: AscModule;
  readonly stringInstance: ClassElement;
  readonly arrayBufferInstance: ClassElement;
  readonly arrayBufferViewInstance: ClassElement;
  readonly arrayPrototype: Element;
  readonly staticArrayPrototype: Element;
  readonly uint8ClampedArrayPrototype: Element;
  readonly diagnostics: readonly { message: string }[];
  error(code: number, range: Range, argument: string): void;
  warning(code: number, range: Range, argument: string): void;
}

/** asc's own wrapper of the module; the binaryen.js one that transforms get stands for the same. */
export interface AscModule {
  optimize(optimizeLevel: number, shrinkLevel: number, debugInfo: boolean, zeroFilledMemory: boolean): void;
}

/** The binaryen.js module that transforms get. asc calls these of its methods once they have run. */
export interface OutputModule {
  /** Without an argument it answers with the bytes alone. */
  emitBinary(sourceMapUrl: string | null): { readonly binary: Uint8Array; readonly sourceMap: string };
  emitText(): string;
  emitStackIR(): string;
  addCustomSection(name: string, contents: Uint8Array): void;
  getGlobal(name: string): Ref;
  runPasses(passes: readonly string[]): void;
  dispose(): void;
}

/** asc's Binaryen, with what we use of it besides instrumenting. */
export interface AscBinaryen extends Binaryen {
  getGlobalInfo(global: Ref): { readonly init: Ref };
  getExpressionInfo(expression: Ref): { readonly value?: number | bigint };
}

/** What asc puts on a transform's prototype before it makes it. */
export interface TransformContext {
  readonly program: Program;
  readonly binaryen: AscBinaryen;
  readonly baseDir: string;
  readonly stderr: Output;
  readFile(filename: string, baseDir: string): string | null | Promise<string | null>;
  /** asc's own answers `false` where writing failed. */
  writeFile(filename: string, contents: string | Uint8Array, baseDir: string): unknown;
}

export interface Output {
  write(chunk: string | Uint8Array): unknown;
}
