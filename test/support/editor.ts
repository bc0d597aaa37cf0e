// The server of example 06, as a reader starts it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './temporary.ts';

/** Were its plugins in C built? For `skipIf(!hasPlugins)`: they need clang. */
export const hasPlugins: boolean = ['wrap', 'lua'].every((name) =>
  existsSync(path.join(ROOT, `build/examples/06-plugins/plugins/${name}.wasm`)),
);

export interface Editor {
  readonly url: string;
  /** What it has printed. */
  readonly output: string;
  /** Ends it as Ctrl+C does; its exit code. */
  stop(): Promise<number | null>;
}

export async function startEditor(...args: readonly string[]): Promise<Editor> {
  const child = spawn(process.execPath, ['examples/run.mjs', '06', ...args], { cwd: ROOT });
  let output = '';
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const url = await new Promise<string>((resolve, reject) => {
    const look = (chunk: Buffer): void => {
      output += chunk.toString();
      const found = /^The editor is at (\S+)$/m.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    void ended.then((code) => reject(new Error(`It ended with ${code}: ${output}`)));
  });
  return {
    url,
    get output() {
      return output;
    },
    stop() {
      child.kill('SIGINT');
      return ended;
    },
  };
}
