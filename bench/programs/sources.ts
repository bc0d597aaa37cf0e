/** Where the programs come from: sources that the tests' own builder compiles, and npm packages that hold a module. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Missing } from './program.ts';

const ROOT = new URL('../../../', import.meta.url);

/** A guest of BENCHED in test/guests/list.mjs, built again if anything about it has changed. */
export async function buildGuest(name: string): Promise<string> {
  const builder = fileURLToPath(new URL('test/guests/build.mjs', ROOT));
  const { status, stdout, stderr } = spawnSync(process.execPath, [builder, name], { encoding: 'utf8' });
  const skipped = /^skipped: (.*)$/m.exec(stdout)?.[1];
  const file = fileURLToPath(new URL(`build/guests/${name}.wasm`, ROOT));
  if (status === 0 && existsSync(file)) return file;
  throw new Missing(skipped ?? `${name} could not be built: ${stderr.trim()}`);
}
