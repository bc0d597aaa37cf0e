/** An error for a person at a terminal: what happened, where in the source, and how the guest came there. */
import { type Mapped, linesOf } from './map-error.ts';
import { printFrame } from './frames.ts';

export interface FormatOptions {
  /** Colours by ANSI escape sequences. Default false. */
  readonly colour?: boolean;
  /** Lines of source before and after the one in question. Default 2. */
  readonly context?: number;
}

type Style = 'red' | 'cyan' | 'dim';
const ESCAPES: Readonly<Record<Style, readonly [string, string]>> = {
  red: ['\u001b[1;31m', '\u001b[0m'],
  cyan: ['\u001b[36m', '\u001b[39m'],
  dim: ['\u001b[2m', '\u001b[22m'],
};
type Paint = (style: Style, text: string) => string;

/**
 * The text of an error that `mapError` has mapped: message, an excerpt of the source with a caret (of the innermost
 * frame that is not in the language's library), the stack, and the same of its causes. Never throws.
 *
 * @example
 * process.stderr.write(formatError(mapError(error, map), { colour: process.stderr.isTTY }) + '\n');
 */
export function formatError(error: unknown, options: FormatOptions = {}): string {
  const paint: Paint = (style, text) => (options.colour === true ? ESCAPES[style][0] + text + ESCAPES[style][1] : text);
  const parts: string[] = [];
  const seen = new Set<unknown>();
  for (let each = error; each !== undefined && !seen.has(each); each = causeOf(each)) {
    seen.add(each);
    try {
      parts.push(each instanceof Error ? formatOne(each, options.context ?? 2, paint) : String(each));
    } catch {
      parts.push('an error that cannot be shown');
    }
  }
  return parts.join('\n\ncaused by: ');
}

function causeOf(error: unknown): unknown {
  try {
    return error instanceof Error ? error.cause : undefined;
  } catch {
    return undefined;
  }
}

function formatOne(error: Error, context: number, paint: Paint): string {
  const code = 'code' in error && typeof error.code === 'string' ? ` [${error.code}]` : '';
  const lines = linesOf(error);
  const frames = lines.filter(({ line }) => line.counts).map((each) => formatFrame(each, paint));
  const notes = lines.filter(({ line }) => !line.counts && /^ {4}(\.\.\.|\()/.test(line.text));
  return [
    `${paint('red', error.name + code)}: ${error.message}`,
    ...excerptOf(lines, context, paint),
    ...frames,
    ...notes.map(({ line }) => paint('dim', line.text)),
  ].join('\n');
}

function formatFrame({ line, place, name }: Mapped, paint: Paint): string {
  if (place === null) return paint('dim', line.text.replace(/^\s*(?=\S)/, '    '));
  const where = { ...place, file: paint('cyan', place.file) };
  return `    ${printFrame({ ...line, style: 'v8', lead: line.lead.includes('async') ? 'at async ' : 'at ' }, name, where)}`;
}

function excerptOf(lines: readonly Mapped[], context: number, paint: Paint): string[] {
  const places = lines.flatMap(({ map, place }) => {
    const source = place === null ? null : (map?.linesOf(place.file) ?? null);
    return place === null || source === null ? [] : [{ place, source }];
  });
  const shown = places.find((each) => !each.place.file.startsWith('~lib/')) ?? places[0];
  if (shown === undefined) return [];
  const { place, source } = shown;
  const first = Math.max(1, place.line - context);
  const last = Math.min(source.length, place.line + context);
  const width = String(last).length;
  const excerpt = ['', `  ${paint('cyan', `${place.file}:${place.line}:${place.column}`)}`];
  for (let number = first; number <= last; number++) {
    const text = source[number - 1] ?? '';
    const here = number === place.line;
    excerpt.push(
      `${here ? paint('red', '>') : ' '} ${paint('dim', `${String(number).padStart(width)} |`)} ${text}`.trimEnd(),
    );
    // Tabs before the caret are as wide as those above it.
    const space = text.slice(0, place.column - 1).replace(/[^\t]/g, ' ');
    if (here) excerpt.push(`  ${' '.repeat(width)} ${paint('dim', '|')} ${space}${paint('red', '^')}`);
  }
  return [...excerpt, ''];
}
