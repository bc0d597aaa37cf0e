/** As much of WASI preview 1 as the programs' libc looks at: no file is there. */
import type { Imports } from '../../host/index.ts';

/** Bad file descriptor: also the end of the list of opened folders, for which libc would else ask for ever. */
const EBADF = 8;

const NAMES = [
  'args_get',
  'args_sizes_get',
  'clock_time_get',
  'environ_get',
  'environ_sizes_get',
  'fd_close',
  'fd_fdstat_get',
  'fd_fdstat_set_flags',
  'fd_prestat_get',
  'fd_prestat_dir_name',
  'fd_read',
  'fd_renumber',
  'fd_seek',
  'fd_write',
  'path_open',
  'proc_exit',
] as const;

export function noFiles(): Imports[string] {
  return Object.fromEntries(NAMES.map((name) => [name, () => EBADF]));
}
