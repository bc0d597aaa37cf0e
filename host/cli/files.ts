/** Input of the command line: `-` is standard input; and sentences about files, for whoever reads or writes them. */
import { readFile } from 'node:fs/promises';
import { FiberError } from '../errors.ts';
import { CliError } from './errors.ts';

export async function readInput(file: string): Promise<Uint8Array> {
  if (file === '-') return readStandardInput();
  try {
    return await readFile(file);
  } catch (error) {
    throw new CliError(2, `${file}: ${explain(error, 'read')}`);
  }
}

async function readStandardInput(): Promise<Uint8Array> {
  if (process.stdin.isTTY) throw new CliError(2, 'standard input is a terminal: redirect a file to it, or name one.');
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  } catch (error) {
    throw new CliError(2, `standard input: ${explain(error, 'read')}`);
  }
  return Buffer.concat(chunks);
}

/** The code of a system error, such as `ENOENT`; empty for anything else. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Why a file could not be read or written, as the end of a sentence that begins with its name. */
export function explain(error: unknown, done: 'read' | 'written'): string {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'no such file.',
    EISDIR: 'is a folder.',
    EEXIST: 'is a file, not a folder.',
    ENOTDIR: 'is below a file, not a folder.',
    EACCES: `cannot be ${done}: permission denied.`,
    EPERM: `cannot be ${done}: permission denied.`,
    ENAMETOOLONG: 'the name is too long for the file system.',
    ENOSPC: 'cannot be written: no space left on the device.',
    EDQUOT: 'cannot be written: the disk quota is used up.',
    EPIPE: 'cannot be written: whoever read it has gone.',
    ENXIO: `cannot be ${done}: nothing is at its other end.`,
    EROFS: 'cannot be written: the file system is read-only.',
  };
  return reasons[codeOf(error)] ?? `cannot be ${done} (${error instanceof Error ? error.message : String(error)}).`;
}

/** What was wrong with an input, said of that file. */
export function refusal(input: string, message: string): CliError {
  return new CliError(1, `${input === '-' ? 'standard input' : input}: ${message}`);
}

/** Does something with what an input holds; a refusal names the file. */
export function ofFile<T>(input: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof FiberError ? refusal(input, error.message) : error;
  }
}
