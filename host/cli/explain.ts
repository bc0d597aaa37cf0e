/** `wasm-fibers explain`: why a function is instrumented, for a person or (`--json`) for a program. */
import { explain } from '../instrument/index.ts';
import type { ExplainedCall, ExplainedCut, Explanation, Place, StudiedFunction } from '../instrument/index.ts';
import { studyOptions } from './arguments.ts';
import type { ExplainFlags } from './commands/explain.ts';
import { ofFile, readInput } from './files.ts';
import { writeStandardOutput } from './output.ts';
import { shellWord } from './suggest.ts';
import { printable } from '../observe/page/text.ts';
import { bytes, styleFor } from './style.ts';
import type { Style } from './style.ts';

export async function explainCommand(file: string, wanted: string, flags: ExplainFlags): Promise<void> {
  const options = await studyOptions(flags);
  const wasm = await readInput(file);
  const explanation = ofFile(file, () => explain(wasm, wanted, options));
  const text = flags.json ? JSON.stringify(explanation, null, 2) : describe(explanation, styleFor(process.stdout));
  await writeStandardOutput(`${text}\n`);
}

/** So many functions are named where there are more. */
const SHOWN = 5;

function describe(it: Explanation, style: Style): string {
  const { function: func, path, otherPath, cuts } = it;
  const where = [
    func.imported ? 'import' : `function ${func.index}`,
    ...(func.imported ? [] : [bytes(func.bytes)]),
    ...(func.exported.length === 0 ? [] : [`exported as ${func.exported.map((name) => printable(name)).join(', ')}`]),
    ...(func.place === null ? [] : [showPlace(func.place)]),
  ];
  const lines = [`${style.bold(printable(func.name))}  ${style.dim(where.join(', '))}`, printable(it.because)];
  if (path.length > 0) lines.push('', style.bold('the shortest way'), ...describePath(path, style));
  if (otherPath.length > 0) lines.push('', style.bold('also, through a table'), ...describePath(otherPath, style));
  if (cuts.length > 0)
    lines.push('', style.bold('what would spare functions'), ...cuts.map((cut) => describeCut(cut, style)));
  return lines.join('\n');
}

function describePath(path: readonly ExplainedCall[], style: Style): string[] {
  const first = path[0];
  const lines = first === undefined ? [] : [`  ${printable(first.caller.name)}`];
  for (const { kind, callee, place, type, table, targets, waiting } of path) {
    const at = place === null ? '' : `  ${style.dim(showPlace(place))}`;
    const name =
      callee === null ? null : callee.imported ? style.green(printable(callee.name)) : printable(callee.name);
    if (kind === 'direct') lines.push(`    calls ${name ?? '?'}${at}`);
    else if (kind === 'reference') lines.push(`    calls through a reference${at}`);
    else {
      const through = style.yellow(`calls through table ${table?.index ?? '?'}`);
      lines.push(`    ${through} as ${type ?? '?'}: ${name ?? 'anything'}${at}`);
      if (table?.unknown) lines.push(style.dim(`      the table ${table.unknown}`));
      const among = `      ${waiting.length} of the ${targets.length} functions of that type in the table may wait`;
      lines.push(style.dim(waiting.length === 0 ? among : `${among}: ${names(waiting)}`));
    }
  }
  return lines;
}

function describeCut({ what, option, functions, bytes: size, largest }: ExplainedCut, style: Style): string {
  const how = option === null ? '' : ` (${style.cyan(option.map((word) => shellWord(printable(word))).join(' '))})`;
  const count = functions === 1 ? '1 function' : `${functions} functions`;
  return `  ${printable(what)}${how}\n    ${count}, ${bytes(size)}: ${names(largest, functions)}`;
}

function names(functions: readonly StudiedFunction[], count: number = functions.length): string {
  const shown = functions.slice(0, SHOWN).map((each) => printable(each.name));
  return count > shown.length ? `${shown.join(', ')} and ${count - shown.length} more` : shown.join(', ');
}

function showPlace({ file, line }: Place): string {
  return `${printable(file)}:${line}`;
}
