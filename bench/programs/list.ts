/** The programs, in the order in which they are measured. Each is loaded when it is needed: one may lack what it is made of. */
import type { Program } from './program.ts';

const PROGRAMS: Readonly<Record<string, () => Promise<{ readonly program: Program }>>> = {
  lua: () => import('./lua.ts'),
  sqlite: () => import('./sqlite.ts'),
  quickjs: () => import('./quickjs.ts'),
};

export const PROGRAM_NAMES: readonly string[] = Object.keys(PROGRAMS);

export async function findProgram(name: string): Promise<Program | undefined> {
  return (await PROGRAMS[name]?.())?.program;
}
