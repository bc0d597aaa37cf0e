/**
 * Doc comments of the source, which asc does not keep: found in the text before a declaration, and written again at another
 * indentation.
 */
import type { Declaration } from './asc.ts';

/** Words of a declaration before its name. */
const WORDS =
  /\b(?:abstract|class|const|declare|default|enum|export|function|let|namespace|override|public|readonly|static|var)$/;

/** The lines of a declaration's doc comment, without the stars. */
export function docLines(declaration: Declaration): readonly string[] {
  const { text } = declaration.range.source;
  const starts = [declaration.name, ...(declaration.decorators ?? [])].map((node) => node.range.start);
  let end = Math.min(...starts);
  for (;;) {
    const before = text.slice(0, end).trimEnd();
    // What an empty line parts from a declaration is about the file.
    if (/\n\s*\n/.test(text.slice(before.length, end))) return [];
    if (before.endsWith('*/')) {
      const from = before.lastIndexOf('/*');
      if (from < 0) return [];
      if (text.startsWith('/**', from) && before.length - from > 4) return linesOf(before.slice(from + 3, -2));
      end = from;
      continue;
    }
    const line = before.slice(before.lastIndexOf('\n') + 1);
    const word = WORDS.exec(line);
    if (word !== null) end = before.length - word[0].length;
    else if (line.trimStart().startsWith('//')) end = before.length - line.length;
    else return [];
  }
}

function linesOf(comment: string): readonly string[] {
  const lines = comment
    .split('\n')
    .map((line, index) => (index === 0 ? line.trim() : line.replace(/^\s*\*? ?/, '').trimEnd()));
  while (lines[0]?.trim() === '') lines.shift();
  while (lines.at(-1)?.trim() === '') lines.pop();
  return lines;
}

/** A doc comment, or nothing if there are no lines. */
export function docComment(lines: readonly string[], indent: string): string {
  const [only] = lines;
  if (only === undefined) return '';
  if (lines.length === 1) return `${indent}/** ${only.trim()} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} *${line === '' ? '' : ` ${line}`}\n`).join('')}${indent} */\n`;
}
