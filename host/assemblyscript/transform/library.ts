/**
 * The guest's side of wasm-fibers as asc sees it: every file of assembly/ is there as `wasm-fibers/assembly/...`, whether or
 * not the project has the package in a folder that asc looks into, and fibers.ts is compiled into every program, as is
 * exports.ts into one with tasks.
 */
import { libraryFiles } from 'assemblyscript/asc';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SourceKind } from './asc.ts';
import type { Program, Source } from './asc.ts';
import { Refusal } from './refusal.ts';

/** How the paths of our files begin in asc. */
export const LIBRARY = '~lib/wasm-fibers/assembly/';

const RUNTIME_FILE = `${LIBRARY}fibers.ts`;
/** What the host of tasks calls: compiled in when there can be tasks. */
const TASKS_FILE = `${LIBRARY}task.ts`;
const EXPORTS_FILE = `${LIBRARY}exports.ts`;

let entries: { readonly runtime: string; readonly exports: string } | null = null;

/** Puts every file where asc looks for libraries, once; returns the text of the two that can be entries. */
function register(): NonNullable<typeof entries> {
  // As compiled into build/, and as it stands in the repository.
  const folders = ['../../../../assembly/', '../../../assembly/'].map((path) => new URL(path, import.meta.url));
  const folder = folders.find((each) => existsSync(new URL('fibers.ts', each)));
  if (folder === undefined) {
    throw new Error(`The folder assembly/ of wasm-fibers is missing (looked for ${fileURLToPath(folders[0] ?? '')}).`);
  }
  for (const name of readdirSync(folder, { recursive: true })) {
    const file = String(name).replaceAll('\\', '/');
    if (!file.endsWith('.ts') || file.endsWith('.d.ts') || file.startsWith('examples/')) continue;
    libraryFiles[`wasm-fibers/assembly/${file.slice(0, -'.ts'.length)}`] = readFileSync(new URL(file, folder), 'utf8');
  }
  const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
  return { runtime: read('fibers.ts'), exports: read('exports.ts') };
}

/** Gives asc our files before it parses any other: fibers.ts as an entry, the rest for when they are imported. */
export function addLibrary({ parser }: Program): void {
  entries ??= register();
  parser.parseFile(entries.runtime, RUNTIME_FILE, true);
}

/**
 * To be called when the program is parsed. Puts our entries behind asc's runtime, which must be initialised first, and
 * before the program's own.
 *
 * @throws Refusal if the runtime is not one of asc's
 */
export function orderSources({ parser, sources }: Program): void {
  const runtime = sources.find((source) => source.sourceKind === SourceKind.UserEntry && !isOurs(source));
  if (runtime === undefined || !/^~lib\/rt\/index-(?:incremental|minimal|stub)\.ts$/.test(runtime.normalizedPath)) {
    throw new Refusal(
      `The runtime "${runtime?.normalizedPath ?? ''}" is not one of asc's: wasm-fibers keeps what suspended fibers use from the collector of --runtime incremental, minimal or stub only.`,
    );
  }
  if (entries !== null && sources.some((source) => source.normalizedPath === TASKS_FILE)) {
    parser.parseFile(entries.exports, EXPORTS_FILE, true);
  }
  const ours = sources.filter(isOurs);
  const others = sources.filter((source) => !isOurs(source));
  const at = others.indexOf(runtime) + 1;
  // The parser has the same array.
  sources.splice(0, sources.length, ...others.slice(0, at), ...ours, ...others.slice(at));
}

function isOurs(source: Source): boolean {
  return source.normalizedPath.startsWith(LIBRARY);
}
