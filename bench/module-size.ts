/** What instrumenting adds to a module: guests of the tests as their compiler made them, and instrumented for each backend. */
import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

/** `file` in build/guests, where `node test/guests/build.mjs` puts it. */
const MODULES = [
  { file: 'core', label: 'a guest of a few functions' },
  { file: 'lua', label: 'Lua 5.4' },
  { file: 'sqlite', label: 'SQLite 3' },
] as const;

/** The endings of what is compared; the first is what the others are divided by. */
export const TARGETS = [
  { ending: 'wasm', label: 'not instrumented' },
  { ending: 'jspi.wasm', label: 'for JSPI' },
  { ending: 'fibers.wasm', label: 'for Asyncify' },
] as const;

export interface ModuleSize {
  readonly label: string;
  /** For each of TARGETS. */
  readonly sizes: readonly { readonly bytes: number; readonly gzipped: number }[];
}

/** `missing`: modules that are not built. */
export function measureModules(): { modules: ModuleSize[]; missing: string[] } {
  const modules: ModuleSize[] = [];
  const missing: string[] = [];
  for (const { file, label } of MODULES) {
    const files = TARGETS.map(({ ending }) => new URL(`../guests/${file}.${ending}`, import.meta.url));
    if (files.every((each) => existsSync(each))) {
      const contents = files.map((each) => readFileSync(each));
      const sizes = contents.map((each) => ({ bytes: each.length, gzipped: gzipSync(each, { level: 9 }).length }));
      modules.push({ label, sizes });
    } else missing.push(`${label}: build it by node test/guests/build.mjs ${file}`);
  }
  return { modules, missing };
}
