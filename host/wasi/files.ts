/**
 * The option `files`: from an object of paths, contents and file systems to the directories that a program has open from the
 * beginning. Contents make up one file system in memory, at `/`; each file system is a directory of its own as well, since
 * libc looks for the longest path that fits, and is mounted in the one at `/`, if there is one, so that walks find it too.
 */
import { FiberError } from '../errors.ts';
import type { Directory, FileSystem } from './file-system.ts';
import { type FileTree, MemoryFiles } from './memory-files.ts';
import { mount } from './mounts.ts';
import { settle, type Steps } from './steps.ts';

/** Paths, and what is there; a directory below may be an object again, of contents. */
export interface FilesByPath {
  readonly [path: string]: string | Uint8Array | FileTree | FileSystem;
}

export type Files = FileSystem | FilesByPath;

export interface Preopen {
  /** As the program sees it: absolute. */
  readonly path: string;
  readonly directory: Directory;
}

/** Opens what the program has from the beginning, the one at `/` first. */
export function* openFiles(files: Files): Steps<Preopen[]> {
  const systems = new Map<string, FileSystem>();
  const tree: [string, string | Uint8Array | FileTree][] = [];
  for (const [path, content] of isFileSystem(files) ? [['/', files] as const] : Object.entries(files)) {
    if (isFileSystem(content)) systems.set(normal(path), content);
    else tree.push([path, content]);
  }
  const root = systems.get('');
  const [first] = tree;
  if (root !== undefined && first !== undefined) {
    throw new FiberError(
      'INVALID_OPTION',
      `The option files has a file system at / and contents at ${first[0]}, which would be in it. Mount files in memory beside it: { '/': ..., '/tmp': memoryFiles() }.`,
    );
  }
  if (root === undefined && (tree.length > 0 || systems.size === 0)) {
    const memory = new MemoryFiles(Object.fromEntries(tree));
    // So that the ways to the mounts are there.
    for (const path of systems.keys()) memory.makeDirectory(path);
    systems.set('', memory);
  }
  const opened = new Map<string, Directory>();
  try {
    for (const [path, system] of systems) opened.set(path, yield* settle(system.root()));
  } catch (error) {
    for (const directory of opened.values()) yield* settle(directory.close?.());
    throw error;
  }
  const top = opened.get('');
  opened.delete('');
  const preopens = [...opened].map(([path, directory]) => ({ path: `/${path}`, directory }));
  return top === undefined ? preopens : [{ path: '/', directory: mount(top, opened) }, ...preopens];
}

/** Without slashes at the ends; empty for the root. */
function normal(path: string): string {
  return path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .join('/');
}

function isFileSystem(value: unknown): value is FileSystem {
  return typeof value === 'object' && value !== null && 'root' in value && typeof value.root === 'function';
}

export function isFiles(value: unknown): value is Files {
  return isFileSystem(value) || isTree(value, isFileSystem);
}

/** @param isLeaf what may be in it beside contents */
function isTree(value: unknown, isLeaf: (value: unknown) => boolean): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(
    (each) => typeof each === 'string' || each instanceof Uint8Array || isLeaf(each) || isTree(each, () => false),
  );
}
