/**
 * Code in the documents, and what a fence says of it behind the language, where no reader sees it:
 *
 *     file=NAME        is written to that file
 *     run              is executed: a script by the shell, JavaScript by Node, a page by Chromium
 *     output           is exactly what the run before it prints; a line of three dots stands for any lines
 *     exit=1           the run ends with that code
 *     assembly         AssemblyScript that is compiled in this process (guests.ts): with `run`, its `main` is called
 *     refused          with `assembly`: what the compiler says of it follows; `flags="..."` are further arguments of asc
 *     error=CODE       a few lines that fail with this FiberError (errors.test.ts)
 *     in=FOLDER        a folder of its own; without it all blocks of a document share one
 *     needs=PROGRAM    cannot run without it: `clang`, `chromium`; `jspi` is a Node that has JSPI, which then runs it; several
 *                      between commas
 *     not-run="WHY"    a program that is not executed, and why
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../support/temporary.ts';

export interface Block {
  /** The document, from the root. */
  readonly document: string;
  /** Line of the first line of code, counted from 1. */
  readonly line: number;
  readonly language: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly code: string;
}

/** A program, and what it is to print if the document says so. */
export interface Run {
  readonly block: Block;
  readonly output: Block | null;
}

/** Files that a tool finds by their names. */
const FOUND_BY_NAME: readonly string[] = ['asconfig.json', 'tsconfig.json', 'package.json'];

/** Languages of what is not a program. */
const TEXT: readonly string[] = ['text', 'mermaid'];

/** Every fenced block of a document. Throws where code could hide from the tests. */
export function blocksOf(document: string): Block[] {
  const blocks: Block[] = [];
  let open: { fence: string; info: string; line: number; code: string[] } | null = null;
  let blank = true;
  for (const [index, text] of readFileSync(path.join(ROOT, document), 'utf8').split('\n').entries()) {
    const where = `${document}:${index + 1}`;
    if (open !== null) {
      if (text.trim() === open.fence) {
        blocks.push(toBlock(document, open.line, open.info, open.code));
        open = null;
      } else open.code.push(text);
      continue;
    }
    const start = /^(\s*)(`{3,}|~{3,})(.*)$/.exec(text);
    if (start !== null) {
      if (start[1] !== '') throw new Error(`${where}: an indented fence is not found by every reader; move it left.`);
      open = { fence: start[2] ?? '', info: start[3] ?? '', line: index + 2, code: [] };
    } else if (blank && /^( {4}|\t)/.test(text)) {
      throw new Error(`${where}: indented code is not run; put it into a fence.`);
    }
    blank = text.trim() === '';
  }
  if (open !== null) throw new Error(`${document}:${open.line}: the fence is not closed.`);
  return blocks;
}

function toBlock(document: string, line: number, info: string, code: readonly string[]): Block {
  const [, language = '', rest = ''] = /^\s*(\S*)(.*)$/.exec(info) ?? [];
  const attributes = new Map<string, string>();
  for (const [, key, , value] of rest.matchAll(/([\w-]+)(=("[^"]*"|\S+))?/g)) {
    if (key !== undefined) attributes.set(key, (value ?? '').replaceAll('"', ''));
  }
  return { document, line, language, attributes, code: code.join('\n').trim() };
}

export function isProgram(block: Block): boolean {
  return !TEXT.includes(block.language);
}

/** Programs that a document shows and no attribute speaks of, or that are written and never used. */
export function forgotten(blocks: readonly Block[]): string[] {
  const problems: string[] = [];
  for (const block of blocks) {
    const { attributes, language } = block;
    const where = `${block.document}:${block.line}`;
    if (language === '') problems.push(`${where}: the fence names no language`);
    if (!isProgram(block)) continue;
    const file = attributes.get('file');
    if (!['run', 'file', 'error', 'refused', 'not-run'].some((key) => attributes.has(key)))
      problems.push(`${where}: is not run`);
    if (file === undefined || attributes.has('run') || FOUND_BY_NAME.includes(file)) continue;
    const users = blocks.filter((each) => each !== block && attributes.get('in') === each.attributes.get('in'));
    const names = [file, `./${path.parse(file).name}'`];
    const uses = ({ attributes: of, code }: Block): boolean =>
      of.has('error') || names.some((each) => code.includes(each));
    if (!users.some((each) => isProgram(each) && uses(each))) problems.push(`${where}: nothing uses ${file}`);
  }
  return problems;
}

/** Does something happen to it, besides being written? */
export function isRun({ attributes }: Block): boolean {
  return attributes.has('run') || attributes.has('refused');
}

/** The programs to run, each with the output that follows it. */
export function runsOf(blocks: readonly Block[]): Run[] {
  const runs: { block: Block; output: Block | null }[] = [];
  for (const block of blocks) {
    if (isRun(block)) runs.push({ block, output: null });
    if (!block.attributes.has('output')) continue;
    const last = runs.at(-1);
    if (last === undefined || last.output !== null) throw new Error(`${block.document}:${block.line}: output of what?`);
    last.output = block;
  }
  return runs;
}

/** What a block cannot run without. */
export function needsOf({ attributes, language }: Block): string[] {
  if (language === 'html') return ['chromium'];
  return attributes.get('needs')?.split(',') ?? [];
}
