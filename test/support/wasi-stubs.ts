// As much of WASI preview 1 as the C guests' libc asks for: no files, no arguments, what is printed is collected.

const SUCCESS = 0;
const EBADF = 8;
/** A fixed clock, in nanoseconds, and fixed random bytes: guests do the same in every run. */
const NOW = 1_700_000_000_000_000_000n;

/** What `proc_exit` throws. */
export class Exit extends Error {
  override readonly name = 'Exit';
  readonly code: number;
  constructor(code: number) {
    super(`the guest exited with code ${code}`);
    this.code = code;
  }
}

export interface WasiStubs {
  /** The functions of the module `wasi_snapshot_preview1`. */
  readonly imports: Record<string, (...args: never[]) => unknown>;
  /** Everything printed so far, to standard output and standard error. */
  readonly text: string;
}

/** @param memory the guest's memory, asked for at each call, since a guest may be started before anybody has it */
export function wasiStubs(memory: () => WebAssembly.Memory): WasiStubs {
  const view = (): DataView => new DataView(memory().buffer);
  const put32 = (...values: [at: number, value: number][]): number => {
    for (const [at, value] of values) view().setUint32(at, value, true);
    return SUCCESS;
  };
  const decoder = new TextDecoder();
  let text = '';
  const badFile = (): number => EBADF;
  return {
    get text() {
      return text;
    },
    imports: {
      args_sizes_get: (count: number, bytes: number) => put32([count, 0], [bytes, 0]),
      args_get: () => SUCCESS,
      environ_sizes_get: (count: number, bytes: number) => put32([count, 0], [bytes, 0]),
      environ_get: () => SUCCESS,
      clock_time_get(_clock: number, _precision: bigint, result: number): number {
        view().setBigUint64(result, NOW, true);
        return SUCCESS;
      },
      random_get(at: number, length: number): number {
        new Uint8Array(memory().buffer, at, length).fill(7);
        return SUCCESS;
      },
      fd_write(_file: number, vectors: number, count: number, written: number): number {
        let total = 0;
        for (let i = 0; i < count; i++) {
          const at = view().getUint32(vectors + i * 8, true);
          const length = view().getUint32(vectors + i * 8 + 4, true);
          text += decoder.decode(new Uint8Array(memory().buffer, at, length), { stream: true });
          total += length;
        }
        return put32([written, total]);
      },
      fd_fdstat_get(_file: number, result: number): number {
        new Uint8Array(memory().buffer, result, 24).fill(0);
        view().setUint8(result, 2); // a character device: libc then prints line by line
        return SUCCESS;
      },
      // The end of the list of opened folders; a success here would have libc ask for ever.
      fd_prestat_get: badFile,
      fd_prestat_dir_name: badFile,
      fd_fdstat_set_flags: badFile,
      fd_read: badFile,
      fd_renumber: badFile,
      fd_seek: badFile,
      fd_close: badFile,
      path_open: badFile,
      proc_exit(code: number): never {
        throw new Exit(code);
      },
    },
  };
}
