/** `wasm-fibers inspect`: what a module is, for a person or (`--json`) for a program. */
import { TYPES_SECTION } from '../assemblyscript/types.ts';
import type { InspectFlags } from './commands/inspect.ts';
import { inspect } from '../instrument/index.ts';
import type { InspectedImport, Inspection, Target } from '../instrument/index.ts';
import { ofFile, readInput } from './files.ts';
import { writeStandardOutput } from './output.ts';
import { neverWaits, relativeUrl, shellFile, shellWord } from './suggest.ts';
import { bytes, styleFor } from './style.ts';
import type { Style } from './style.ts';

export async function inspectCommand(file: string, flags: InspectFlags): Promise<void> {
  const wasm = await readInput(file);
  const inspection = ofFile(file, () => inspect(wasm));
  const text = flags.json ? JSON.stringify(inspection, null, 2) : describe(file, inspection, styleFor(process.stdout));
  await writeStandardOutput(`${text}\n`);
}

function describe(file: string, it: Inspection, style: Style): string {
  const rows: [label: string, value: string][] = [
    ['what it is', whatItIs(it)],
    ...(it.metadata === null ? [] : [['target', describeTarget(it.metadata.target)] as [string, string]]),
    ['needs', it.needs.length === 0 ? 'no more than every engine has' : it.needs.join('; ')],
    ['size', `${bytes(it.size)}, ${it.functions.count} functions${describeNames(it)}`],
  ];
  if (it.language !== null) rows.push(['language', it.language]);
  if (it.producers.length > 0) rows.push(['produced by', it.producers.join(', ')]);
  rows.push(['memory', describeMemory(it)]);
  if (it.start !== null) rows.push(['start function', it.start]);
  rows.push(['shadow stack', it.stack === null ? 'none found' : `${it.stack.kind}, pointer ${it.stack.global}`]);
  rows.push(['allocator', it.allocator ?? 'none found']);
  if (it.features.length > 0) rows.push(['features', it.features.join(', ')]);
  const { metadata } = it;
  if (metadata !== null) {
    const { options } = metadata;
    rows.push(['start', metadata.start ? 'the export wasm-fibers.start' : 'none']);
    if (metadata.target === 'asyncify') rows.push(['largest frame', `${metadata.largestFrame} bytes`]);
    rows.push([
      'options',
      Object.entries(options)
        .map(([key, value]) => `${key} ${show(value)}`)
        .join(', '),
    ]);
    rows.push(['source SHA-256', metadata.source]);
  }
  const width = Math.max(...rows.map(([label]) => label.length));
  const lines = [
    style.bold(file === '-' ? 'standard input' : file),
    ...rows.map(([label, value]) => `  ${style.dim(label.padEnd(width))}  ${value}`),
  ];

  lines.push('', style.bold(`imports (${it.imports.length})`));
  const nameWidth = widest(it.imports.map(nameOf));
  for (const each of it.imports) lines.push(`  ${nameOf(each).padEnd(nameWidth)}  ${describeImport(each, style)}`);
  lines.push('', style.bold(`exports (${it.exports.length})`));
  const exportWidth = widest(it.exports.map((each) => each.name));
  for (const each of it.exports) {
    lines.push(`  ${each.name.padEnd(exportWidth)}  ${each.type === null ? each.kind : signature(each.type)}`);
  }
  lines.push('', style.bold('next'), ...next(file, it).map((line) => `  ${line}`));
  return lines.join('\n');
}

function whatItIs(it: Inspection): string {
  if (it.kind === 'instrumented') return `a module instrumented by wasm-fibers (format ${it.metadata?.version ?? '?'})`;
  if (it.kind === 'asyncify') return 'a module instrumented with Asyncify by another tool (not by wasm-fibers)';
  return 'a core WebAssembly module, not instrumented';
}

function describeTarget(target: Target): string {
  return target === 'jspi' ? 'jspi (the engine switches stacks)' : 'asyncify (code was rewritten)';
}

function describeNames(it: Inspection): string {
  if (it.functions.named) return ' with names';
  return it.customSections.includes('name') ? ', without names of their own' : ', no name section';
}

function describeMemory(it: Inspection): string {
  if (it.memories.length === 0) return 'none';
  return it.memories
    .map((memory) => {
      const limits = `${memory.min} page${memory.min === 1 ? '' : 's'} (${memory.min * 64} KiB)${memory.max === null ? '' : `, at most ${memory.max}`}`;
      const flags = [memory.shared ? 'shared' : '', memory.is64 ? '64-bit' : '', memory.imported ? 'imported' : ''];
      const exported = memory.exported.length > 0 ? `exported as ${memory.exported.join(', ')}` : '';
      return [limits, ...flags, exported].filter((part) => part !== '').join(', ');
    })
    .join('; ');
}

function nameOf(each: InspectedImport): string {
  return `${each.module}.${each.name}`;
}

function widest(names: readonly string[]): number {
  return Math.min(44, Math.max(0, ...names.map((name) => name.length)));
}

function signature(type: { readonly params: readonly string[]; readonly results: readonly string[] }): string {
  return `(${type.params.join(', ')}) -> ${type.results.length === 0 ? '()' : type.results.join(', ')}`;
}

function describeImport(each: InspectedImport, style: Style): string {
  const type = each.type === null ? `${each.kind} ${each.detail}`.trim() : signature(each.type);
  return each.suspending === true ? `${type}  ${style.green('may suspend')}` : type;
}

function show(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(' ')}]` : String(value);
}

function next(file: string, it: Inspection): string[] {
  if (it.kind === 'instrumented') {
    const url = relativeUrl(file === '-' ? 'out.wasm' : file);
    if (it.customSections.includes(TYPES_SECTION)) {
      const bindings = `${/^[./]/.test(url) ? '' : './'}${url.replace(/\.wasm$/, '')}.js`;
      return [
        `const guest = await instantiate({ ... });   // import { instantiate } from '${bindings}', which was written beside it`,
      ];
    }
    return [
      `const guest = await instantiate(new URL('${url}', import.meta.url), { ... });   // import { instantiate } from 'wasm-fibers'`,
    ];
  }
  const refusal = it.refusal?.split('\n').slice(0, 1) ?? [];
  if (it.refusal !== null && it.refusalForJspi !== null) return refusal;
  const functions = it.imports.filter((each) => each.kind === 'function');
  const first = functions.find((each) => !neverWaits(each)) ?? functions[0];
  if (first === undefined) return ['It imports no functions, so nothing in it can wait for the host.'];
  const input = file === '-' ? 'in.wasm' : file;
  const output = file === '-' ? 'out.wasm' : `${file.replace(/\.wasm$/, '')}.fibers.wasm`;
  if (it.refusal !== null) {
    return [
      `wasm-fibers instrument ${shellFile(input)} -o ${shellFile(output)} --target jspi --suspending ${shellWord(nameOf(first))}`,
      ...refusal,
    ];
  }
  return [
    `wasm-fibers instrument ${shellFile(input)} -o ${shellFile(output)} --suspending ${shellWord(nameOf(first))}`,
    `(--suspending once for each import that may return a promise; up to ${it.couldSuspend} of ${it.functions.count} functions would be instrumented;`,
    ' --target both for a pair of modules, of which engines with JSPI run one that is not rewritten)',
  ];
}
