/**
 * Files of the command line: `-` is standard input or output, and an output file is written whole or not at all: beside its
 * place under another name, then renamed. A run that fails leaves what was there before.
 */
import { randomBytes } from 'node:crypto';
import { lstat, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
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
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** One file to be written; several are put in place together, the last one last. */
export interface Output {
  readonly file: string;
  readonly contents: Uint8Array | string;
}

/** Writes files, each atomically: all are complete on disk before the first takes its place. */
export async function writeOutputs(outputs: readonly Output[]): Promise<void> {
  const pending: { temporary: string; target: string }[] = [];
  try {
    for (const { file, contents } of outputs) {
      if (file === '-') {
        await writeStandardOutput(contents);
        continue;
      }
      // Through a symbolic link the file that it names is replaced, not the link.
      const target = await realpath(file).catch(() => path.resolve(file));
      const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
      pending.push({ temporary, target });
      await writeTemporary(temporary, target, contents, file);
    }
    for (const { temporary, target } of pending) {
      await rename(temporary, target).catch((error: unknown) => {
        throw new CliError(1, `${target}: ${explain(error, 'written')}`);
      });
    }
  } catch (error) {
    await Promise.all(pending.map(({ temporary }) => rm(temporary, { force: true })));
    throw error;
  }
}

/** Refuses an output path that cannot work, before any time is spent on the contents. */
export async function checkOutput(file: string): Promise<void> {
  if (file === '-') {
    if (process.stdout.isTTY)
      throw new CliError(2, 'standard output is a terminal: redirect it, or name a file with -o.');
    return;
  }
  const found = await lstat(file).catch(() => null);
  if (found?.isDirectory()) throw new CliError(2, `${file}: is a folder; name a file.`);
  const folder = path.dirname(path.resolve(file));
  const isFolder = await stat(folder).then(
    (each) => each.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new CliError(2, `${file}: the folder ${folder} does not exist.`);
}

async function writeTemporary(
  temporary: string,
  target: string,
  contents: Uint8Array | string,
  file: string,
): Promise<void> {
  try {
    const mode = await stat(target).then(
      (found) => found.mode,
      () => 0o666,
    );
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(contents);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new CliError(1, `${file}: ${explain(error, 'written')}`);
  }
}

function writeStandardOutput(contents: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(contents, (error) => (error ? reject(error) : resolve()));
  });
}

function explain(error: unknown, done: 'read' | 'written'): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'no such file.',
    EISDIR: 'is a folder.',
    EACCES: `cannot be ${done}: permission denied.`,
    EPERM: `cannot be ${done}: permission denied.`,
    ENOSPC: 'cannot be written: no space left on the device.',
    EROFS: 'cannot be written: the file system is read-only.',
  };
  return reasons[code] ?? `cannot be ${done} (${error instanceof Error ? error.message : String(error)}).`;
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
