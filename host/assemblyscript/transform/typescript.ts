/** The text of app.d.ts. */
import type { FunctionType, TypeIndex, ValueType } from '../types.ts';
import { TypeKind } from './asc.ts';
import type { Declaration, FunctionElement, Program, PropertyPrototype } from './asc.ts';
import { docComment, docLines } from './comments.ts';
import { isProvided } from '../provided.ts';
import type { Description, EnumDescription } from './describe.ts';
import { isDeclarable, NamePool, property, quoted } from './names.ts';
import { isPlainObject, showType } from './type-table.ts';

/** Names that app.js and app.d.ts declare, import, or use of the platform's. */
const OWN = (
  'Imports Exports instantiate instantiateModule Guest InstantiateOptions Reference ' +
  'Object Promise PromiseLike URL WebAssembly'
).split(' ');

/** Enumerations whose members are known, and whose names a module can export beside its own. */
export function writableEnums(description: Description): readonly EnumDescription[] {
  return description.enums.filter(
    ({ name, members }) => isDeclarable(name) && !OWN.includes(name) && members.every((each) => each.value !== null),
  );
}

/** @param wasm name of the module's file */
export function writeTypeScript(description: Description, program: Program, wasm: string): string {
  return new Writer(description, program).write(wasm);
}

/** A member of the import object. */
interface Member {
  readonly text: string;
  readonly optional: boolean;
}

class Writer {
  readonly #description: Description;
  readonly #program: Program;
  readonly #enums: readonly EnumDescription[];
  readonly #names: NamePool;
  /** Names of the records' interfaces, by class. */
  readonly #records = new Map<number, string>();
  #references = false;

  constructor(description: Description, program: Program) {
    this.#description = description;
    this.#program = program;
    this.#enums = writableEnums(description);
    this.#names = new NamePool([...OWN, ...this.#enums.map((each) => each.name)]);
  }

  write(wasm: string): string {
    const imports = this.#imports();
    const exports = this.#exports();
    const enums = this.#enums.map((each) => this.#enum(each)).join('');
    const records = this.#recordInterfaces();
    const types = ['Guest', 'InstantiateOptions', ...(this.#references ? ['Reference'] : [])].join(', ');
    const given = imports.optional ? 'imports?: Imports' : 'imports: Imports';
    return `// Made by wasm-fibers/transform together with ${wasm} and its .js: change the source, not this.
import type { ${types} } from 'wasm-fibers/assemblyscript';

${imports.text}
${exports}
/** Compiles and links ${wasm}, or \`options.source\` in its place. */
export declare function instantiate(${given}, options?: InstantiateOptions): Promise<Guest<Exports>>;
${enums}${records}`;
  }

  #imports(): Member {
    const { section, imports, importedGlobals } = this.#description;
    const modules = new Map<string, Member[]>();
    const add = (module: string, member: Member): void => {
      const members = modules.get(module);
      if (members === undefined) modules.set(module, [member]);
      else members.push(member);
    };
    for (const [index, type] of section.imports.entries()) {
      const element = imports[index];
      if (element === undefined) continue;
      const optional = isProvided(type.module, type.name);
      const result = this.#type(type.result, 'argument');
      const returned = type.suspending ? promised(result) : result;
      const doc = this.#functionDoc(element, '    ');
      const key = `${property(type.name)}${optional ? '?' : ''}`;
      add(type.module, { optional, text: `${doc}    ${key}(${this.#params(type, 'result')}): ${returned};\n` });
    }
    for (const { module, name, element } of importedGlobals) {
      const optional = isProvided(module, name);
      const doc = docComment(docLines(element.declaration), '    ');
      const key = `${property(name)}${optional ? '?' : ''}`;
      add(module, {
        optional,
        text: `${doc}    ${key}: ${element.type.kind === TypeKind.I64 || element.type.kind === TypeKind.U64 ? 'bigint' : 'number'} | WebAssembly.Global;\n`,
      });
    }
    const { importMemory, importTable } = this.#program.options;
    if (importMemory) add('env', { optional: false, text: '    memory: WebAssembly.Memory;\n' });
    if (importTable) add('env', { optional: false, text: '    table: WebAssembly.Table;\n' });
    const groups = [...modules].map(([module, members]) => {
      const optional = members.every((each) => each.optional);
      const text = members.map((each) => each.text).join('');
      return { optional, text: `  ${property(module)}${optional ? '?' : ''}: {\n${text}  };\n` };
    });
    const text = groups.map((each) => each.text).join('');
    return {
      optional: groups.every((each) => each.optional),
      text: `/** What the guest calls. What may return a promise makes the fiber that called it wait, and no other. */\nexport interface Imports {\n${text}}\n`,
    };
  }

  #exports(): string {
    const { section, exports, globals } = this.#description;
    const functions = section.exports.map((type, index) => {
      const element = exports[index];
      const doc = element === undefined ? '' : this.#functionDoc(element, '  ');
      return `${doc}  ${property(type.name)}(${this.#params(type, 'argument')}): ${this.#type(type.result, 'result')};\n`;
    });
    const variables = section.globals.map(({ name, type, mutable }, index) => {
      const element = globals[index];
      const doc = element === undefined ? '' : docComment(docLines(element.declaration), '  ');
      const value = `${mutable ? '' : 'readonly '}value: ${this.#type(type, 'result')}`;
      return `${doc}  readonly ${property(name)}: { ${value} };\n`;
    });
    const own = this.#ownExports(new Set([...section.exports, ...section.globals].map((each) => each.name)));
    return `/** What the guest offers. The exports of a \`Guest\` return promises of these results. */\nexport interface Exports {\n${functions.join('')}${variables.join('')}${own}}\n`;
  }

  /** What asc exports besides the program's own, as it is asked to. */
  #ownExports(taken: ReadonlySet<string>): string {
    const { exportMemory, exportTable, exportRuntime, exportStart } = this.#program.options;
    const lines: [name: string, text: string, isWanted: boolean][] = [
      ['memory', 'readonly memory: WebAssembly.Memory;', exportMemory],
      ['table', 'readonly table: WebAssembly.Table;', exportTable],
      [exportStart ?? '', `${exportStart ?? ''}(): void;`, exportStart !== null],
      ['__new', '__new(size: number, id: number): number;', exportRuntime],
      ['__pin', '__pin(address: number): number;', exportRuntime],
      ['__unpin', '__unpin(address: number): void;', exportRuntime],
      ['__collect', '__collect(): void;', exportRuntime],
      ['__rtti_base', 'readonly __rtti_base: { readonly value: number };', exportRuntime],
    ];
    return lines.map(([name, text, isWanted]) => (isWanted && !taken.has(name) ? `  ${text}\n` : '')).join('');
  }

  #functionDoc(element: FunctionElement, indent: string): string {
    const { signature } = element;
    const params = signature.parameterTypes.map((type, index) => {
      const optional = index >= signature.requiredParameters ? '?' : '';
      return `${element.getParameterName(index)}${optional}: ${showType(type)}`;
    });
    const shown = `\`${element.name}(${params.join(', ')}): ${showType(signature.returnType)}\``;
    const lines = docLines(element.declaration);
    // What follows a tag would belong to it.
    const tag = lines.findIndex((line) => line.startsWith('@'));
    const text = tag < 0 ? lines : lines.slice(0, tag);
    const described = text.at(-1) === '' ? text.slice(0, -1) : text;
    const tags = tag < 0 ? [] : ['', ...lines.slice(tag)];
    return docComment([...described, ...(described.length > 0 ? [''] : []), shown, ...tags], indent);
  }

  #params(type: FunctionType, position: Position): string {
    return type.params
      .map((each) => {
        const name = each.name === 'this' ? 'self' : each.name;
        return `${name}${each.optional ? '?' : ''}: ${this.#type(each.type, position)}`;
      })
      .join(', ');
  }

  #type(index: TypeIndex | null, position: Position): string {
    if (index === null) return 'void';
    const type = this.#description.section.types[index];
    if (type === undefined) return 'unknown';
    const nullable = 'nullable' in type && type.nullable ? ' | null' : '';
    return `${this.#bare(type, position)}${nullable}`;
  }

  #bare(type: ValueType, position: Position): string {
    switch (type.kind) {
      case 'bool':
        return 'boolean';
      case 'i64':
      case 'u64':
        return 'bigint';
      case 'externref':
        return 'unknown';
      case 'string':
        return 'string';
      case 'buffer':
        return 'ArrayBuffer';
      case 'typedarray':
        return type.array;
      case 'array':
      case 'staticarray': {
        const element = this.#type(type.element, position);
        const listed = element.includes(' ') ? `(${element})` : element;
        return position === 'argument' ? `readonly ${listed}[]` : `${listed}[]`;
      }
      case 'record':
        return this.#record(type.name, type.id);
      case 'reference':
        this.#references = true;
        return `Reference<${quoted(type.name)}>`;
      case 'result': {
        const value = type.fields.find((each) => each.name === 'value');
        return value === undefined ? 'void' : this.#type(value.type, position);
      }
      default:
        return 'number';
    }
  }

  #record(name: string, id: number): string {
    const known = this.#records.get(id);
    if (known !== undefined) return known;
    const taken = this.#names.take(name);
    this.#records.set(id, taken);
    return taken;
  }

  /** Of all records that have been named; describing one may name others. */
  #recordInterfaces(): string {
    const { types } = this.#description.section;
    const texts: string[] = [];
    for (const [id, name] of this.#records) {
      const index = types.findIndex((each) => each.kind === 'record' && each.id === id);
      const type = types[index];
      if (type?.kind !== 'record') continue;
      const clazz = this.#description.types.classOf(index);
      const members = type.fields.map((field) => {
        const declaration = (clazz?.members?.get(field.name) as PropertyPrototype | undefined)?.fieldDeclaration;
        const doc = declaration ? docComment(docLines(declaration), '  ') : '';
        return `${doc}  ${property(field.name)}: ${this.#type(field.type, 'result')};\n`;
      });
      const doc = clazz === null || !isPlainObject(clazz) ? '' : docComment(docLines(clazz.declaration), '');
      texts.push(`\n${doc}export interface ${name} {\n${members.join('')}}\n`);
    }
    return texts.join('');
  }

  #enum({ name, element, members }: EnumDescription): string {
    const lines = members.map((each) => {
      const declaration: Declaration | undefined = element.members?.get(each.name)?.declaration;
      const doc = declaration === undefined ? '' : docComment(docLines(declaration), '  ');
      return `${doc}  readonly ${property(each.name)}: ${each.value ?? 0};\n`;
    });
    const doc = docComment(docLines(element.declaration), '');
    return `\n${doc}export declare const ${name}: {\n${lines.join('')}};\nexport type ${name} = (typeof ${name})[keyof typeof ${name}];\n`;
  }
}

/** On which side a value is made: the embedder's arguments may be read-only, results are its own. */
type Position = 'argument' | 'result';

function promised(result: string): string {
  return `${result} | PromiseLike<${result}>`;
}
