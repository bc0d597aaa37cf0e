/**
 * AssemblyScript in the documents, compiled by the transform inside of this process. All programs of a document that run are
 * files of one module, since that takes the time of one, and each has an instance of its own: what one of them does at the
 * top level of its file, it does in all.
 */
import { type Guest, instantiate } from '../../host/assemblyscript/index.ts';
import { compile } from '../node/transform-driver.ts';
import type { Outcome } from '../support/temporary.ts';
import type { Block } from './blocks.ts';

/** What a program is called in messages, whatever file it is in. */
const NAME = 'app';
const exportOf = ({ line }: Block): string => `line${line}`;

/** The module of all programs, each an export. */
export async function compilePrograms(programs: readonly Block[]): Promise<WebAssembly.Module> {
  const entry = programs.map((block) => {
    const name = exportOf(block);
    return `import { main as ${name}_main } from './${name}';\nexport function ${name}(): void { ${name}_main(); }\n`;
  });
  const files = programs.map((block): [string, string] => [`${exportOf(block)}.ts`, `${block.code}\n`]);
  const { error, stderr, files: written } = await compile({ 'app.ts': entry.join(''), ...Object.fromEntries(files) });
  const wasm = written.get('app.wasm');
  if (error !== null || !(wasm instanceof Uint8Array)) throw new Error(`the programs do not compile:\n${stderr}`);
  return WebAssembly.compile(wasm as Uint8Array<ArrayBuffer>);
}

/** What a program prints by `console.log`, until its `main` has returned. */
export async function runProgram(module: WebAssembly.Module, block: Block): Promise<Outcome> {
  const lines: string[] = [];
  const env = { 'console.log': (text: string) => void lines.push(text) };
  const guest: Guest = await instantiate(module, { env }, { maxFibers: 100 });
  const outcome = await guest.exports[exportOf(block)]?.().then(
    () => ({ code: 0, stderr: '' }),
    (error: unknown) => ({ code: 1, stderr: String(error) }),
  );
  await guest.dispose();
  const printed = lines.join('\n').replaceAll(`${exportOf(block)}.ts:`, `${NAME}.ts:`);
  return { code: 1, stderr: 'there is no such export', ...outcome, stdout: printed };
}

/** What asc and the transform say of a program that they refuse. */
export async function refusalOf(block: Block): Promise<Outcome> {
  const flags = (block.attributes.get('flags') ?? '').split(' ').filter((flag) => flag !== '');
  const { error, stderr } = await compile({ [`${NAME}.ts`]: `${block.code}\n` }, { flags });
  return { code: error === null ? 0 : 1, stdout: stderr, stderr: '' };
}
