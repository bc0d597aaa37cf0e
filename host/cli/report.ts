/** `wasm-fibers report`: what instrumentation costs a module, as text, as JSON, or as a page to look at. */
import path from 'node:path';
import { report } from '../instrument/index.ts';
import type { Amount, Report } from '../instrument/index.ts';
import { studyOptions } from './arguments.ts';
import type { ReportFlags } from './commands/report.ts';
import { CliError } from './errors.ts';
import { ofFile, readInput } from './files.ts';
import { checkOutput, writeOutputs, writeStandardOutput } from './output.ts';
import { htmlOf } from './page/html.ts';
import { printable } from '../observe/page/text.ts';
import { bytes, styleFor } from './style.ts';
import type { Style } from './style.ts';

export async function reportCommand(file: string, flags: ReportFlags): Promise<void> {
  const { html, instrumented } = flags;
  if (html !== undefined && flags.json) throw new CliError(2, '--json and --html are two forms of the same: give one.');
  if (html !== undefined) await checkOutput(html);
  const options = await studyOptions(flags);
  const wasm = await readInput(file);
  const after = instrumented === undefined ? {} : { instrumented: await readInput(instrumented) };
  const found = ofFile(file, () => report(wasm, { ...options, ...after }));
  const name = file === '-' ? 'standard input' : path.basename(file);
  if (html !== undefined) {
    await writeOutputs([{ file: html, contents: await htmlOf(found, name) }]);
    if (html !== '-') process.stderr.write(`${styleFor(process.stderr).green('written')} ${html}\n`);
    return;
  }
  const text = flags.json
    ? JSON.stringify(found, null, 2)
    : describe(printable(file === '-' ? name : file), found, flags.top, styleFor(process.stdout));
  await writeStandardOutput(`${text}\n`);
}

function describe(title: string, it: Report, top: number, style: Style): string {
  const { total, instrumented, size } = it;
  const share = (part: number, all: number): string => `${all === 0 ? 0 : Math.round((100 * part) / all)} %`;
  const does = it.target === 'jspi' ? 'may wait' : 'instrumented';
  const lines = [
    style.bold(title),
    `  functions  ${instrumented.functions} of ${total.functions} ${does} (${share(instrumented.functions, total.functions)})`,
    `  code       ${bytes(instrumented.bytes)} of ${bytes(total.bytes)} (${share(instrumented.bytes, total.bytes)})`,
  ];
  if (it.added.functions > 0) {
    lines.push(`  added      ${bytes(it.added.bytes)} in ${it.added.functions} functions of instrumentation's own`);
  }
  if (size.after !== null) {
    const factor = (size.after / size.module).toFixed(2);
    lines.push(`  module     ${bytes(size.module)} -> ${bytes(size.after)} (${factor}x)`);
  }
  lines.push('', style.bold('suspending imports'));
  lines.push(
    ...table(
      ['', 'reached by', '', 'alone', ''],
      it.imports.map(({ name, reached, alone }) => [printable(name), ...cells(reached), ...cells(alone)]),
      style,
    ),
  );
  if (it.indirectCalls.length > 0) {
    lines.push('', style.bold('indirect calls that may wait'));
    lines.push(
      ...table(
        ['', 'table', 'callers', 'reaches', 'waiting', 'alone', ''],
        it.indirectCalls
          .slice(0, top)
          .map(({ type, table, callers, targets, waiting, alone }) => [
            type,
            ...[table, callers, targets, waiting].map(String),
            ...cells(alone),
          ]),
        style,
      ),
    );
    if (it.indirectCalls.length > top)
      lines.push(
        style.dim(
          `  and ${it.indirectCalls.length - top} more kind${it.indirectCalls.length - top === 1 ? '' : 's'} (--top)`,
        ),
      );
    lines.push(`  if none of them waited, ${spared(it.indirect)} (--ignore-indirect)`);
    if (it.openTables.functions > 0)
      lines.push(`  if the host wrote no table, ${spared(it.openTables)} (--closed-tables)`);
  }
  lines.push('', ...largest(it, top, style));
  return lines.join('\n');
}

function largest(it: Report, top: number, style: Style): string[] {
  const grown = it.functions.some((each) => each.after !== null);
  const found = it.functions.filter((each) => each.instrumented).sort((left, right) => right.bytes - left.bytes);
  const rows = found
    .slice(0, top)
    .map((each) => [
      printable(each.name),
      bytes(each.bytes),
      ...(grown ? [each.after === null ? '' : bytes(each.after)] : []),
      each.state,
      each.place === null ? '' : `${printable(each.place.file)}:${each.place.line}`,
    ]);
  const more = found.length > top ? [style.dim(`  and ${found.length - top} more (--top)`)] : [];
  const head = ['', 'size', ...(grown ? ['after'] : []), '', ''];
  return [style.bold('largest instrumented functions'), ...table(head, rows, style, grown ? [1, 2] : [1]), ...more];
}

function cells({ functions, bytes: size }: Amount): string[] {
  return [String(functions), bytes(size)];
}

function spared({ functions, bytes: size }: Amount): string {
  return `${functions === 1 ? '1 function' : `${functions} functions`}, ${bytes(size)}, would be free`;
}

/** Longer names are for `--json`. */
const WIDEST = 60;

/** @param right which columns are numbers; by default all but the first */
function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  style: Style,
  right: readonly number[] = head.map((_, place) => place).slice(1),
): string[] {
  const cut = (text: string): string => (text.length > WIDEST ? `${text.slice(0, WIDEST - 3)}...` : text);
  const widths = head.map((title, place) => Math.max(title.length, ...rows.map((row) => cut(row[place] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `  ${row
      .map((text, place) => {
        const width = widths[place] ?? 0;
        return right.includes(place) ? cut(text).padStart(width) : cut(text).padEnd(width);
      })
      .join('  ')}`.trimEnd();
  const titles = head.some((title) => title !== '') ? [style.dim(line(head))] : [];
  return [...titles, ...rows.map(line)];
}
