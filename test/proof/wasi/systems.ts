/**
 * The file systems that the suite is run on in Node, and the other implementations of WASI: each test gets a fresh one, with the
 * files that it expects.
 *
 *   memory        memoryFiles()
 *   host          hostDirectory(), held by descriptors where that can be
 *   host-paths    the same, held by paths, as on other systems than Linux
 *   wasmer        @wasmer/wasi and its files in memory
 *   shim          @bjorn3/browser_wasi_shim and its files in memory
 *   node          node:wasi and a directory
 */
import { Directory, File, type Inode, PreopenDirectory, WASI as Shim } from '@bjorn3/browser_wasi_shim';
import * as wasmer from '@wasmer/wasi';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { WASI as NodeWasi } from 'node:wasi';
import { type FileTree, type ReadyWasi, type RunOptions, initWasmer, memoryFiles } from '../../../host/wasi/index.ts';
import { hostDirectory } from '../../../host/wasi/node/index.ts';

export const SYSTEMS = ['memory', 'host', 'host-paths', 'wasmer', 'shim', 'node'] as const;
export type System = (typeof SYSTEMS)[number];

/** What a test is run with, and how to remove it. */
export interface Fresh {
  readonly options: RunOptions;
  remove(): void;
}

/** @param root the folder that the program is to see at `/`; null for none */
export async function freshFiles(system: System, root: string | null): Promise<Fresh> {
  const kept = (options: RunOptions): Fresh => ({ options, remove: () => {} });
  const given = (ready: unknown): Fresh => kept({ provider: ready as ReadyWasi });
  if (system === 'wasmer') return given(await wasmerOver(root));
  if (system === 'shim') {
    const root_ = root === null ? [] : [new PreopenDirectory('/', inodesOf(treeOf(root)))];
    // The first three are never asked: the streams are those of the options.
    const none = new PreopenDirectory('', new Map());
    return given(new Shim([], [], [none, none, none, ...root_], { debug: false }));
  }
  if (root === null) return system === 'node' ? given(new NodeWasi({ version: 'preview1' })) : kept({});
  if (system === 'memory') return kept({ files: memoryFiles(treeOf(root)) });
  const folder = mkdtempSync(path.join(os.tmpdir(), 'wasm-fibers-wasi-'));
  cpSync(root, folder, { recursive: true });
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  if (system === 'node') {
    const provider = new NodeWasi({ version: 'preview1', preopens: { '/': folder } }) as unknown as ReadyWasi;
    return { options: { provider }, remove };
  }
  const hold = system === 'host-paths' || process.platform !== 'linux' ? 'paths' : 'descriptors';
  return { options: { files: hostDirectory(folder, { hold }) }, remove };
}

async function wasmerOver(root: string | null): Promise<wasmer.WASI> {
  await initWasmer(wasmer);
  const wasi = new wasmer.WASI({ args: [], env: {}, preopens: root === null ? {} : { '/': '/' } });
  const fill = (tree: FileTree, prefix: string): void => {
    for (const [name, each] of Object.entries(tree)) {
      if (typeof each === 'string') continue;
      if (!(each instanceof Uint8Array)) {
        wasi.fs.createDir(prefix + name);
        fill(each, `${prefix}${name}/`);
        continue;
      }
      const file = wasi.fs.open(prefix + name, { read: true, write: true, create: true });
      file.write(each);
      file.flush();
    }
  };
  if (root !== null) fill(treeOf(root), '/');
  return wasi;
}

function inodesOf(tree: FileTree): Map<string, Inode> {
  const inodes = new Map<string, Inode>();
  for (const [name, each] of Object.entries(tree)) {
    if (typeof each === 'string') continue;
    inodes.set(name, each instanceof Uint8Array ? new File(each) : new Directory(inodesOf(each)));
  }
  return inodes;
}

/** A folder of the suite; all contents are bytes. */
export function treeOf(folder: string): FileTree {
  return Object.fromEntries(
    readdirSync(folder, { withFileTypes: true }).map((entry) => {
      const file = path.join(folder, entry.name);
      return [entry.name, entry.isDirectory() ? treeOf(file) : new Uint8Array(readFileSync(file))];
    }),
  );
}
