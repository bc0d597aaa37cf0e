/**
 * The guest's side of wasm-fibers as asc sees it: every file of assembly/ is there as `wasm-fibers/assembly/...`, whether or
 * not the project has the package in a folder that asc looks into, and fibers.ts is compiled into every program.
 */
import { libraryFiles } from 'assemblyscript/asc';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Program, Source } from './asc.ts';

/** How the paths of our files begin in asc. */
export const LIBRARY = '~lib/wasm-fibers/assembly/';
/** Imports of the guest library that only the host of its tasks uses: raw numbers, no descriptors. */
export const TASKS_MODULE = 'wasm-fibers:tasks';

const RUNTIME_FILE = `${LIBRARY}fibers.ts`;

let runtime: string | null = null;

/** Puts every file where asc looks for libraries, once; returns the text of fibers.ts. */
function register(): string {
  // As compiled into build/, and as it stands in the repository.
  const folders = ['../../../../assembly/', '../../../assembly/'].map((path) => new URL(path, import.meta.url));
  const folder = folders.find((each) => existsSync(new URL('fibers.ts', each)));
  if (folder === undefined) {
    throw new Error(`The folder assembly/ of wasm-fibers is missing (looked for ${fileURLToPath(folders[0] ?? '')}).`);
  }
  for (const name of readdirSync(folder, { recursive: true })) {
    const file = String(name).replaceAll('\\', '/');
    if (!file.endsWith('.ts') || file.endsWith('.d.ts')) continue;
    libraryFiles[`wasm-fibers/assembly/${file.slice(0, -'.ts'.length)}`] = readFileSync(new URL(file, folder), 'utf8');
  }
  return readFileSync(new URL('fibers.ts', folder), 'utf8');
}

/** Gives asc our files: fibers.ts as an entry of the program, the others for when they are imported. */
export function addLibrary({ parser }: Program): void {
  runtime ??= register();
  parser.parseFile(runtime, RUNTIME_FILE, true);
}

/** Puts our files behind asc's runtime, which must be initialised first, and before the program's own. */
export function orderSources(program: Program): void {
  const { sources } = program;
  const ours = sources.filter(isOurs);
  const others = sources.filter((source) => !isOurs(source));
  const runtime = others.findIndex((source) => source.normalizedPath.startsWith('~lib/rt/index-'));
  const entry = others.findIndex((source) => source.sourceKind === 1);
  const at = runtime >= 0 ? runtime + 1 : Math.max(entry, 0);
  // The parser has the same array.
  sources.splice(0, sources.length, ...others.slice(0, at), ...ours, ...others.slice(at));
}

function isOurs(source: Source): boolean {
  return source.normalizedPath.startsWith(LIBRARY);
}
