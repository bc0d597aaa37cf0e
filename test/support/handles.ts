// A directory of the browser for tests: the origin-private one where there is one, else one in memory that behaves as the
// File System API says, as far as it is used.

type Handle = FakeFile | FakeDirectory;

const failure = (name: string): DOMException => new DOMException(`the fake directory says ${name}`, name);

class FakeFile {
  readonly kind = 'file';
  readonly name: string;
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  lastModified: number = Date.now();
  /** Bytes that it may have. */
  readonly #room: number;

  constructor(name: string, room: number) {
    this.name = name;
    this.#room = room;
  }

  async getFile(): Promise<File> {
    return new File([this.bytes], this.name, { lastModified: this.lastModified });
  }

  async createWritable(): Promise<{
    write(bytes: Uint8Array): Promise<void>;
    close(): Promise<void>;
    abort(): Promise<void>;
  }> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    return {
      write: async (bytes) => {
        if (bytes.length > this.#room) throw failure('QuotaExceededError');
        parts.push(new Uint8Array(bytes));
      },
      abort: async () => {},
      close: async () => {
        this.bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
        this.lastModified = Date.now();
      },
    };
  }
}

class FakeDirectory {
  readonly kind = 'directory';
  readonly name: string;
  readonly children = new Map<string, Handle>();
  readonly #room: number;

  constructor(name: string, room: number) {
    this.name = name;
    this.#room = room;
  }

  getFileHandle(name: string, options?: { create?: boolean }): Promise<FakeFile> {
    return this.#get(name, FakeFile, options?.create === true);
  }

  getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<FakeDirectory> {
    return this.#get(name, FakeDirectory, options?.create === true);
  }

  async removeEntry(name: string, options?: { recursive?: boolean }): Promise<void> {
    const child = this.children.get(name);
    if (child === undefined) throw failure('NotFoundError');
    if (child.kind === 'directory' && child.children.size > 0 && options?.recursive !== true) {
      throw failure('InvalidModificationError');
    }
    this.children.delete(name);
  }

  async *entries(): AsyncGenerator<[string, Handle]> {
    for (const entry of this.children) yield entry;
  }

  async #get<T extends Handle>(name: string, Kind: new (name: string, room: number) => T, create: boolean): Promise<T> {
    if (name === '' || name === '.' || name === '..' || name.includes('/')) throw new TypeError('no such name');
    const child = this.children.get(name) ?? (create ? new Kind(name, this.#room) : undefined);
    if (child === undefined) throw failure('NotFoundError');
    if (!(child instanceof Kind)) throw failure('TypeMismatchError');
    this.children.set(name, child);
    return child;
  }
}

/** Has this platform the real one? */
export const hasOriginPrivate: boolean = typeof navigator === 'object' && 'storage' in navigator;

/** One in memory, in browsers too. @param room bytes that a file in it may have, until the disk is full */
export function fakeDirectory(room: number): FileSystemDirectoryHandle {
  return new FakeDirectory('', room) as unknown as FileSystemDirectoryHandle;
}

/** An empty directory, and how to remove it. */
export async function emptyDirectory(): Promise<{ directory: FileSystemDirectoryHandle; remove: () => Promise<void> }> {
  if (!hasOriginPrivate) {
    return { directory: fakeDirectory(Number.POSITIVE_INFINITY), remove: async () => {} };
  }
  const root = await navigator.storage.getDirectory();
  const name = `test-${crypto.randomUUID()}`;
  const directory = await root.getDirectoryHandle(name, { create: true });
  return { directory, remove: () => root.removeEntry(name, { recursive: true }) };
}
