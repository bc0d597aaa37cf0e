/** Runs asc with the transform on sources in memory, as a bundler's plugin would. */
import { main } from 'assemblyscript/asc';
import path from 'node:path';
import { expect } from 'vitest';
import type { TypeSection } from '../../host/assemblyscript/types.ts';
import { TYPES_SECTION } from '../../host/assemblyscript/types.ts';
import { wasmFibers } from '../../host/assemblyscript/transform/index.ts';
import type { TransformOptions } from '../../host/assemblyscript/transform/index.ts';

export interface Compiled {
  readonly error: Error | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What was written, by name. */
  readonly files: ReadonlyMap<string, string | Uint8Array>;
}

export interface Settings {
  readonly flags?: readonly string[];
  readonly options?: TransformOptions;
  /** Default: app.ts. */
  readonly entries?: readonly string[];
  /** Null for none. Default: app.wasm. */
  readonly outFile?: string | null;
  /** What else asc runs, behind ours. */
  readonly transforms?: readonly unknown[];
}

/** How a declaration is marked as suspending; TypeScript knows no decorators there. */
export const SUSPENDING = '// @ts-ignore: decorator\n@suspending\n';

export async function compile(
  sources: string | Readonly<Record<string, string>>,
  { flags = [], options = {}, entries = ['app.ts'], outFile = 'app.wasm', transforms = [] }: Settings = {},
): Promise<Compiled> {
  const given: Readonly<Record<string, string>> = typeof sources === 'string' ? { 'app.ts': sources } : sources;
  const files = new Map<string, string | Uint8Array>();
  const argv = [...entries, ...flags, ...(outFile === null ? [] : ['--outFile', outFile])];
  const { error, stdout, stderr } = await main(argv, {
    // asc's declarations speak of instances of a class that its transforms need not extend.
    transforms: [wasmFibers({ argv, ...options }), ...transforms] as never,
    readFile: (file: string, folder: string) => given[path.posix.join(folder, file)] ?? null,
    writeFile: (file: string, content: string | Uint8Array) => void files.set(file, content),
    listFiles: () => [],
  });
  return { error, stdout: stdout.toString(), stderr: stderr.toString(), files };
}

/** The same, and it must succeed. */
export async function compiled(
  sources: string | Readonly<Record<string, string>>,
  settings: Settings = {},
): Promise<{ wasm: Uint8Array<ArrayBuffer>; js: string; dts: string; section: TypeSection; result: Compiled }> {
  const result = await compile(sources, settings);
  expect(result.stderr).not.toContain('ERROR');
  expect(result.error).toBeNull();
  const wasm = new Uint8Array(bytesOf(result, 'app.wasm'));
  return { wasm, js: textOf(result, 'app.js'), dts: textOf(result, 'app.d.ts'), section: sectionOf(wasm), result };
}

/** The same, and it must fail, with nothing written. Returns what asc printed. */
export async function refused(
  sources: string | Readonly<Record<string, string>>,
  settings: Settings = {},
): Promise<string> {
  const { error, stderr, files, stdout } = await compile(sources, settings);
  expect(error).toBeInstanceOf(Error);
  expect([...files.keys()]).toEqual([]);
  expect(stdout).toBe('');
  // Sentences, not stacks.
  expect(stderr).not.toMatch(/^\s+at /m);
  return stderr;
}

export function textOf({ files }: Compiled, name: string): string {
  const content = files.get(name);
  if (typeof content !== 'string') throw new Error(`${name} was not written as text: ${[...files.keys()].join(', ')}`);
  return content;
}

export function bytesOf({ files }: Compiled, name: string): Uint8Array {
  const content = files.get(name);
  if (!(content instanceof Uint8Array)) throw new Error(`${name} was not written: ${[...files.keys()].join(', ')}`);
  return content;
}

export function sectionOf(wasm: Uint8Array<ArrayBuffer>): TypeSection {
  const [section] = WebAssembly.Module.customSections(new WebAssembly.Module(wasm), TYPES_SECTION);
  if (section === undefined) throw new Error('The module has no section of types.');
  return JSON.parse(new TextDecoder().decode(section)) as TypeSection;
}
