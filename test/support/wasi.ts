// For tests of WASI: the guest of wasi.wat, whose exports are the functions of WASI themselves, and memory to call them with.
import { afterEach } from 'vitest';
import { type Guest, instantiate } from 'wasm-fibers';
import { type Wasi, type WasiOptions, wasi } from 'wasm-fibers/wasi';
import { watch } from './core.ts';
import { guestSource } from './guest.ts';

export const ERRNO = {
  SUCCESS: 0,
  ACCES: 2,
  AGAIN: 6,
  BADF: 8,
  BUSY: 10,
  EXIST: 20,
  FAULT: 21,
  FBIG: 22,
  ILSEQ: 25,
  INVAL: 28,
  IO: 29,
  ISDIR: 31,
  LOOP: 32,
  MFILE: 33,
  NAMETOOLONG: 37,
  NOENT: 44,
  NOSPC: 51,
  NOSYS: 52,
  NOTDIR: 54,
  NOTEMPTY: 55,
  NOTSOCK: 57,
  PERM: 63,
  PIPE: 64,
  ROFS: 69,
  SPIPE: 70,
  XDEV: 75,
  NOTCAPABLE: 76,
} as const;

export const RIGHT = { READ: 2n, SEEK: 4n, WRITE: 64n, READDIR: 16_384n, ALL: 0x3fff_ffffn } as const;
export const OPEN = { CREAT: 1, DIRECTORY: 2, EXCL: 4, TRUNC: 8 } as const;
export const FDFLAG = { APPEND: 1, NONBLOCK: 4, SYNC: 16 } as const;

type Argument = number | bigint | string;

/** Of wasi.wat: the functions of WASI, by their names. */
export type CallerExports = Record<string, (...args: (number | bigint)[]) => number>;

/** The first directory that a program has. */
export const ROOT_FD = 3;
const SCRATCH = 4096;
const END = 2 * 65_536;

const open: Wasi[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

/** A program that does what the test says. */
export class Caller {
  readonly program: Wasi;
  readonly guest: Guest<CallerExports>;
  #next = SCRATCH;

  constructor(program: Wasi, guest: Guest<CallerExports>) {
    this.program = program;
    this.guest = guest;
  }

  get view(): DataView {
    return new DataView(this.guest.memory.buffer);
  }

  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.guest.memory.buffer, at, length);
  }

  textAt(at: number, length: number): string {
    return new TextDecoder().decode(this.bytes(at, length));
  }

  /** Room in the guest's memory, zeroed. */
  room(length: number): number {
    if (this.#next + length > END) this.#next = SCRATCH;
    const at = this.#next;
    this.#next += (length + 15) & ~7;
    this.bytes(at, length).fill(0);
    return at;
  }

  /** Calls a function of WASI; text is passed as its address and its length. Gives the error number. */
  call(name: string, ...args: Argument[]): Promise<number> {
    const flat = args.flatMap((each): (number | bigint)[] => {
      if (typeof each !== 'string') return [each];
      const bytes = new TextEncoder().encode(each);
      const at = this.room(bytes.length);
      this.bytes(at, bytes.length).set(bytes);
      return [at, bytes.length];
    });
    const fn = this.guest.exports[name];
    if (fn === undefined) throw new Error(`there is no ${name}`);
    return fn(...flat);
  }

  /** The same, and what it gives as an unsigned number at the address that is its last argument. */
  async result(name: string, ...args: Argument[]): Promise<number> {
    const at = this.room(8);
    const errno = await this.call(name, ...args, at);
    if (errno !== 0) throw new Error(`${name} failed with ${errno}`);
    return this.view.getUint32(at, true);
  }

  async open(path: string, oflags = 0, rights: bigint = RIGHT.ALL, fdflags = 0, lookup = 1): Promise<number> {
    return this.result('path_open', ROOT_FD, lookup, path, oflags, rights, RIGHT.ALL, fdflags);
  }

  /** One vector of so many bytes. */
  vector(length: number): { readonly vectors: number; readonly at: number } {
    const at = this.room(length);
    const vectors = this.room(8);
    this.view.setUint32(vectors, at, true);
    this.view.setUint32(vectors + 4, length, true);
    return { vectors, at };
  }

  /** Reads at most so much, as text; an error number if it fails. */
  async read(fd: number, length = 100): Promise<string | number> {
    const { vectors, at } = this.vector(length);
    const result = this.room(4);
    const errno = await this.call('fd_read', fd, vectors, 1, result);
    return errno === 0 ? this.textAt(at, this.view.getUint32(result, true)) : errno;
  }

  async write(fd: number, text: string): Promise<number> {
    const bytes = new TextEncoder().encode(text);
    const { vectors, at } = this.vector(bytes.length);
    this.bytes(at, bytes.length).set(bytes);
    return this.call('fd_write', fd, vectors, 1, this.room(4));
  }

  /** Type and size of what is at a path. */
  async stat(path: string, lookup = 0): Promise<{ type: number; size: number; inode: bigint; links: number }> {
    const at = this.room(64);
    const errno = await this.call('path_filestat_get', ROOT_FD, lookup, path, at);
    if (errno !== 0) throw new Error(`path_filestat_get failed with ${errno}`);
    return {
      type: this.view.getUint8(at + 16),
      size: Number(this.view.getBigUint64(at + 32, true)),
      inode: this.view.getBigUint64(at + 8, true),
      links: Number(this.view.getBigUint64(at + 24, true)),
    };
  }

  /** The names in a directory, without `.` and `..`. */
  async list(path: string): Promise<string[]> {
    const fd = await this.open(path, OPEN.DIRECTORY, RIGHT.READDIR);
    const names: string[] = [];
    let cookie = 0n;
    for (;;) {
      const at = this.room(64);
      const used = await this.result('fd_readdir', fd, at, 64, cookie);
      let from = at;
      while (from + 24 <= at + used) {
        const length = this.view.getUint32(from + 16, true);
        if (from + 24 + length > at + used) break;
        names.push(this.textAt(from + 24, length));
        cookie = this.view.getBigUint64(from, true);
        from += 24 + length;
      }
      if (used < 64) break;
    }
    await this.call('fd_close', fd);
    return names.filter((name) => name !== '.' && name !== '..').sort();
  }
}

/** A program with these options, at whose functions the test may call; closed and checked at the test's end. */
export async function caller(options: WasiOptions = {}): Promise<Caller> {
  const program = wasi(options);
  open.push(program);
  const guest = watch(await instantiate<CallerExports>(guestSource('wasi'), program.imports));
  await program.initialize(guest);
  return new Caller(program, guest);
}
