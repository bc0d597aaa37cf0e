/**
 * Tables in Markdown, as the formatter of this repository leaves them, and their places in the documents: each stands
 * between two comments that name it, and only what is between them is rewritten. A figure that misses its target is in bold.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PAGES = ['costs.md', 'backends.md'].map((name) => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url)));

export interface Section {
  readonly name: string;
  readonly text: string;
}

/** Rewrites what is between the comments of each section, on every page that has them. */
export function writeSections(sections: readonly Section[]): void {
  const homeless = new Set(sections.map(({ name }) => name));
  for (const page of PAGES) {
    let text = readFileSync(page, 'utf8');
    for (const { name, text: content } of sections) {
      const begin = `<!-- bench ${name} -->`;
      const from = text.indexOf(begin);
      const to = text.indexOf(`<!-- end ${name} -->`);
      if (from < 0 || to < from) continue;
      homeless.delete(name);
      text = `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
    }
    writeFileSync(page, text);
  }
  const [name] = homeless;
  if (name !== undefined)
    throw new Error(`no page has a place for ${name}: <!-- bench ${name} --> ... <!-- end ${name} -->`);
}

export function withTarget(figure: string, reached: boolean, target: string): string {
  return `${reached ? figure : `**${figure}**`} (to reach: ${target})`;
}

export function rounded(value: number | undefined): string {
  return value === undefined ? '-' : value < 20 ? value.toFixed(1) : value.toFixed(0);
}

export function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...lines].map((line) => (line[column] ?? '').length)));
  const render = (line: readonly string[]): string =>
    `| ${widths.map((width, column) => (line[column] ?? '').padEnd(width)).join(' | ')} |`;
  return [render(head), render(widths.map((width) => '-'.repeat(width))), ...lines.map(render)].join('\n');
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
