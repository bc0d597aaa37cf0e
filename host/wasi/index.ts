/** What `import 'wasm-fibers/wasi'` gives. */
export type { Clock } from './clock.ts';
export { type DirectoryHandle, browserDirectory } from './directory-handles.ts';
export { FileError, type FileErrorCode } from './errors.ts';
export type { Directory, Entry, FileSystem, FileType, OpenFile, OpenMode, Stat, Times } from './file-system.ts';
export type { Files, FilesByPath } from './files.ts';
export type { Chunk, InputSource } from './input.ts';
export { type FileTree, MemoryFiles, type MemoryFilesOptions, memoryFiles } from './memory-files.ts';
export type { WasiOptions } from './options.ts';
export { type OutputTarget, type OutputWriter, TextOutput } from './output.ts';
export { type Wasi, wasi } from './program.ts';
export { type ReadyWasi, type WasiProvider, initWasmer } from './provider.ts';
export { readOnly } from './read-only.ts';
export { type RunOptions, run } from './run.ts';
export type { Awaitable } from './steps.ts';
export { suspendingImports } from './suspending-imports.ts';
