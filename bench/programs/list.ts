/** The programs, in the order in which they are measured. Each is loaded when it is needed: one may lack what it is made of. */
import type { Program } from './program.ts';

const PROGRAMS: Readonly<Record<string, () => Promise<Program>>> = {
  lua: async () => (await import('./lua.ts')).program,
  sqlite: async () => (await import('./sqlite.ts')).program,
  quickjs: async () => (await import('./quickjs.ts')).program,
  zlib: async () => (await import('./functions.ts')).zlib,
  calls: async () => (await import('./functions.ts')).calls,
  assemblyscript: async () => (await import('./functions.ts')).assemblyscript,
  cpython: async () => (await import('./cpython.ts')).program,
};

export const PROGRAM_NAMES: readonly string[] = Object.keys(PROGRAMS);

/** Measured if none is named. */
export const USUAL: readonly string[] = PROGRAM_NAMES.filter((name) => name !== 'cpython');

export async function findProgram(name: string): Promise<Program | undefined> {
  return PROGRAMS[name]?.();
}
