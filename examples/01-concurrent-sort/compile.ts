// From AssemblyScript source to a module whose fibers can suspend, in two steps: asc, then instrument. The same on the
// command line:
//
//   asc node_modules/wasm-fibers/assembly/fibers.ts sort.ts -O3 -o sort.wasm
//   wasm-fibers instrument sort.wasm -o sort.fibers.wasm --suspending env.http_get
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { main as asc } from 'assemblyscript/asc';
import { type InstrumentResult, instrument } from 'wasm-fibers/instrument';

/**
 * @param root the folder that the sources are addressed from
 * @param sources entry files; the guest's part of wasm-fibers comes first
 * @param folder where the two modules go
 */
export async function compile(
  root: string,
  sources: readonly string[],
  folder: string,
  suspending: readonly string[],
): Promise<InstrumentResult> {
  await mkdir(folder, { recursive: true });
  const plain = path.join(folder, 'sort.wasm');
  const out = path.relative(root, plain);
  const { error, stderr } = await asc([...sources, '--baseDir', root, '--target', 'release', '--outFile', out]);
  if (error !== null) throw new Error(`asc could not compile the guest:\n${stderr.toString()}`, { cause: error });
  const result = await instrument(await readFile(plain), { suspending });
  await writeFile(path.join(folder, 'sort.fibers.wasm'), result.wasm);
  return result;
}
