// Where plugins run: in this page or on the server. What calls them cannot tell which, but by the time that it takes.
import { type Loaded, type Row, loadPlugins, rowOf } from '../plugins.ts';

export interface CallOptions {
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal: AbortSignal;
}

export interface Place {
  /** @throws whatever has ended the call */
  call(name: string, entry: string, input: string, options: CallOptions): Promise<string>;
  stats(): Promise<readonly Row[]>;
}

export interface PagePlace extends Place {
  readonly plugins: ReadonlyMap<string, Loaded>;
}

async function readJson(address: string | URL, options: RequestInit = {}): Promise<unknown> {
  const response = await fetch(address, options);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response.json();
}

/**
 * Loads the plugins into this page. What they look up is asked of the server.
 *
 * @param backend null for the engine's own
 */
export async function inPage(backend: 'asyncify' | 'jspi' | null, print: (line: string) => void): Promise<PagePlace> {
  const plugins = await loadPlugins(
    { base: new URL('plugins/', document.baseURI), read: readJson },
    {
      lookup: async (word, signal) => String(await readJson(`lookup?${new URLSearchParams({ word })}`, { signal })),
      print,
    },
    ...(backend === null ? [] : [backend]),
  );
  return {
    plugins,
    call(name, entry, input, options) {
      const found = plugins.get(name);
      if (found === undefined) throw new Error(`There is no plugin ${name}.`);
      return found.plugin.call<string>(entry, input, options);
    },
    stats: async () => [...plugins.values()].map(rowOf),
  };
}

interface Reply {
  readonly text?: string;
  readonly code?: string | null;
  readonly message?: string;
}

export const onServer: Place = {
  async call(name, entry, input, { timeout, signal }) {
    const address = `plugins/${name}/${entry}?${new URLSearchParams({ timeout: String(timeout) })}`;
    const response = await fetch(address, { method: 'POST', body: input, signal });
    // Our own server's.
    const { text, code, message } = (await response.json()) as Reply;
    if (text !== undefined) return text;
    throw Object.assign(new Error(message ?? 'The server did not say why.'), { code });
  },
  // Likewise.
  stats: async () => (await readJson('plugins')) as readonly Row[],
};
