/** Which functions of WASI may wait: what a module has to be instrumented for. */
import { WASI_MODULE } from './abi.ts';

const NAMES = [
  'fd_allocate',
  'fd_close',
  'fd_datasync',
  'fd_filestat_get',
  'fd_filestat_set_size',
  'fd_filestat_set_times',
  'fd_pread',
  'fd_pwrite',
  'fd_read',
  'fd_readdir',
  'fd_renumber',
  'fd_seek',
  'fd_sync',
  'fd_write',
  'path_create_directory',
  'path_filestat_get',
  'path_filestat_set_times',
  'path_link',
  'path_open',
  'path_readlink',
  'path_remove_directory',
  'path_rename',
  'path_symlink',
  'path_unlink_file',
  'poll_oneoff',
  'sched_yield',
] as const;

const SUSPENDING: ReadonlySet<string> = new Set(NAMES);

/** May this function of WASI wait? */
export const mayWait = (name: string): boolean => SUSPENDING.has(name);

/**
 * The functions of WASI that a module imports and that may wait, as the instrumenter's option `suspending` takes them.
 *
 * @example
 * const module = await WebAssembly.compile(wasm);
 * const { wasm: instrumented } = await instrument(wasm, { suspending: [...suspendingImports(module), 'env.ask'] });
 */
export function suspendingImports(module: WebAssembly.Module): string[] {
  const imported = WebAssembly.Module.imports(module).filter(
    ({ module: from, name, kind }) => from === WASI_MODULE && kind === 'function' && mayWait(name),
  );
  return [...new Set(imported.map(({ name }) => `${WASI_MODULE}.${name}`))];
}
