// Functions of the host for a program that can import none: a directory in which each is a file. Whoever opens one writes what
// the function takes and reads what it gives, as JSON; the read waits as long as the function does.
import type { Directory, FileSystem, OpenFile, Stat } from 'wasm-fibers/wasi';

type Functions = Readonly<Record<string, (...args: never[]) => unknown>>;

const utf8 = new TextEncoder();
const nothing = { size: 0, links: 1, device: 77n, accessed: 0n, modified: 0n, changed: 0n } as const;
const DIRECTORY: Stat = { ...nothing, type: 'directory', inode: 1n };
const FILE: Stat = { ...nothing, type: 'file', inode: 2n };

export function hostFunctions(functions: Functions): FileSystem {
  const names = Object.keys(functions);
  const root: Directory = {
    stat: () => DIRECTORY,
    lookup: (name) => (names.includes(name) ? FILE : null),
    list: () => names.map((name) => ({ name, type: 'file', inode: 2n })),
    openDirectory: () => root,
    openFile: (name) => call(functions[name] as (...args: unknown[]) => unknown),
  };
  return { root: () => root };
}

/** An open file that is one call: what is read begins where what was written ends, since the two have one position. */
function call(fn: (...args: unknown[]) => unknown): OpenFile {
  const decoder = new TextDecoder();
  let asked = '';
  let length = 0;
  let answer: Promise<Uint8Array> | null = null;
  const answered = async (): Promise<Uint8Array> => {
    const args: unknown = JSON.parse(asked);
    if (!Array.isArray(args)) throw new TypeError(`${asked} is no list of arguments`);
    return utf8.encode(JSON.stringify(await fn(...(args as unknown[]))));
  };
  return {
    stat: () => FILE,
    write(bytes) {
      asked += decoder.decode(bytes, { stream: true });
      length += bytes.length;
    },
    async read(most, position) {
      answer ??= answered();
      return (await answer).subarray(position - length, position - length + most);
    },
  };
}
