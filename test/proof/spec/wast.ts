/**
 * Scripts of the specification tests (`.wast`): modules, and what is claimed of them. Modules stay text, for a converter;
 * what is claimed becomes commands.
 */
import { parse } from './sexpr.ts';
import type { List, Node } from './sexpr.ts';

export type ModuleSource =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'binary'; readonly bytes: Uint8Array<ArrayBuffer> };

export interface Action {
  readonly kind: 'invoke' | 'get';
  /** Of the instance, `$name`; null: the last one. */
  readonly module: string | null;
  readonly name: string;
  readonly args: readonly List[];
}

export type Command = { readonly line: number } & (
  | { readonly type: 'module'; readonly name: string | null; readonly source: ModuleSource }
  | { readonly type: 'definition'; readonly name: string | null; readonly source: ModuleSource }
  | { readonly type: 'instance'; readonly name: string | null; readonly of: string | null }
  | { readonly type: 'register'; readonly as: string; readonly name: string | null }
  | { readonly type: 'action'; readonly action: Action }
  | { readonly type: 'returns'; readonly action: Action; readonly expected: readonly List[] }
  | { readonly type: 'fails'; readonly how: 'trap' | 'exhaustion' | 'exception'; readonly action: Action }
  | { readonly type: 'unlinked'; readonly how: 'trap' | 'unlinkable'; readonly source: ModuleSource }
  /** Nothing runs: it is about what is no module. */
  | { readonly type: 'other'; readonly what: string }
);

export function parseScript(source: string): Command[] {
  const nodes = parse(source);
  const lines = new Lines(source);
  const [first] = nodes;
  // A script of nothing but the fields of a module is that module.
  if (first !== undefined && !COMMANDS.has(head(first))) {
    return [{ line: 1, type: 'module', name: null, source: { kind: 'text', text: `(module ${source})` } }];
  }
  return nodes.map((node) => ({ line: lines.of(node.from), ...command(list(node), source) }));
}

const COMMANDS = new Set([
  'module',
  'register',
  'invoke',
  'get',
  'assert_return',
  'assert_trap',
  'assert_exhaustion',
  'assert_exception',
  'assert_invalid',
  'assert_malformed',
  'assert_unlinkable',
  'assert_invalid_custom',
  'assert_malformed_custom',
]);

type WithoutLine<T> = T extends unknown ? Omit<T, 'line'> : never;

function command(node: List, source: string): WithoutLine<Command> {
  const [, first, second] = node.items;
  switch (head(node)) {
    case 'module':
      return moduleCommand(node, source);
    case 'register':
      return { type: 'register', as: text(first), name: identifier(second) };
    case 'invoke':
    case 'get':
      return { type: 'action', action: action(node) };
    case 'assert_return':
      return { type: 'returns', action: action(list(first)), expected: node.items.slice(2).map(list) };
    case 'assert_trap':
    case 'assert_exhaustion':
    case 'assert_exception': {
      const how = head(node).slice('assert_'.length) as 'trap' | 'exhaustion' | 'exception';
      if (head(first) !== 'module') return { type: 'fails', how, action: action(list(first)) };
      return { type: 'unlinked', how: 'trap', source: moduleSource(list(first), source) };
    }
    case 'assert_unlinkable':
      return { type: 'unlinked', how: 'unlinkable', source: moduleSource(list(first), source) };
    default:
      return { type: 'other', what: head(node) };
  }
}

function moduleCommand(node: List, source: string): WithoutLine<Command> {
  const [, first, second, third] = node.items;
  if (first?.kind === 'atom' && first.text === 'definition') {
    return { type: 'definition', name: identifier(second), source: moduleSource(node, source) };
  }
  if (first?.kind === 'atom' && first.text === 'instance') {
    return { type: 'instance', name: identifier(second), of: identifier(third) };
  }
  return { type: 'module', name: identifier(first), source: moduleSource(node, source) };
}

/** `(module definition? $name? binary|quote "..."*)`, or with fields. */
function moduleSource(node: List, source: string): ModuleSource {
  const items = node.items.slice(1);
  const words: string[] = [];
  while (items[0]?.kind === 'atom') {
    words.push(items[0].text);
    items.shift();
  }
  const strings = (): Uint8Array<ArrayBuffer> =>
    Uint8Array.from(Buffer.concat(items.map((each) => (each.kind === 'string' ? each.bytes : new Uint8Array()))));
  if (words.includes('binary')) return { kind: 'binary', bytes: strings() };
  if (words.includes('quote')) return { kind: 'text', text: `(module ${Buffer.from(strings()).toString('utf8')})` };
  const [from, to] = [items[0]?.from ?? node.to - 1, items.at(-1)?.to ?? node.to - 1];
  return { kind: 'text', text: `(module ${source.slice(from, to)})` };
}

function action(node: List): Action {
  const kind = head(node);
  if (kind !== 'invoke' && kind !== 'get') throw new SyntaxError(`${kind} is no action`);
  const module = identifier(node.items[1]);
  const [name, ...args] = node.items.slice(module === null ? 1 : 2);
  return { kind, module, name: text(name), args: args.map(list) };
}

export function head(node: Node | undefined): string {
  const first = node?.kind === 'list' ? node.items[0] : undefined;
  return first?.kind === 'atom' ? first.text : '';
}

function list(node: Node | undefined): List {
  if (node?.kind !== 'list') throw new SyntaxError('There is no list where one should be');
  return node;
}

function identifier(node: Node | undefined): string | null {
  return node?.kind === 'atom' && node.text.startsWith('$') ? node.text : null;
}

function text(node: Node | undefined): string {
  if (node?.kind !== 'string') throw new SyntaxError('There is no string where one should be');
  return Buffer.from(node.bytes).toString('utf8');
}

/** Numbers of lines, for positions in ascending order. */
class Lines {
  readonly #source: string;
  #at = 0;
  #line = 1;

  constructor(source: string) {
    this.#source = source;
  }

  of(position: number): number {
    for (; this.#at < position; this.#at++) if (this.#source[this.#at] === '\n') this.#line += 1;
    return this.#line;
  }
}
