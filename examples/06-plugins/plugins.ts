// The three plugins, as the page and the server load them: from the same files, with the same limits, each with what its manifest
// asks for and no more. This file runs in both.
import { currentFiber } from 'wasm-fibers';
import {
  type Manifest,
  Plugin,
  type PluginLimits,
  type PluginStats,
  parseManifest,
  textFunction,
} from 'wasm-fibers/plugin';

/** What the host does for plugins. */
export interface Host {
  /** What a word means; empty if nobody knows. The signal says that nobody waits for it any more. */
  lookup(word: string, signal: AbortSignal | null): Promise<string>;
  /** What a plugin prints, line by line. */
  print(line: string): void;
}

export interface Loaded {
  readonly plugin: Plugin;
  readonly manifest: Manifest;
}

/** Where the files are, and how JSON is read from there. */
export interface Source {
  /** Ends with a slash. */
  readonly base: URL;
  read(file: URL): Promise<unknown>;
}

/** What no plugin may exceed, whatever its manifest asks for. */
export const LIMITS: PluginLimits = { memory: 16 * 2 ** 20, timeout: 3000, inputBytes: 2 ** 20, outputBytes: 2 ** 20 };

/** An instance of Lua has one call at a time (plugins/lua.c): so many scripts at once, and no others wait for a runaway. */
const SCRIPTS = 4;

/** What the build of this example has instrumented for engines without JSPI. */
type Instrumented = Readonly<Record<string, { readonly source: string; readonly sha256: string }>>;

/** The kind of backend that this engine gives, where nobody wishes for another one. */
export function ownBackend(): 'asyncify' | 'jspi' {
  return 'Suspending' in WebAssembly ? 'jspi' : 'asyncify';
}

/** Loads all that there are: those in C are missing where the build found no compiler. */
export async function loadPlugins(
  { base, read }: Source,
  host: Host,
  backend: 'asyncify' | 'jspi' = ownBackend(),
): Promise<ReadonlyMap<string, Loaded>> {
  const file = (name: string): Promise<unknown> => read(new URL(name, base));
  // Our own file, which says nothing about anybody else's.
  const instrumented = (await file('instrumented.json')) as Instrumented;
  const hostFunctions = {
    editor: {
      lookup: textFunction((word) => host.lookup(word, currentFiber()?.signal ?? null)),
      fail: textFunction((message) => {
        throw new Error(message);
      }),
    },
  };
  const load = async ([name, ready]: [string, Instrumented[string]]): Promise<[string, Loaded]> => {
    const manifest = parseManifest(await file(`${name}.json`));
    // On JSPI a module is loaded as its compiler made it. Without, that would take Binaryen, several megabytes, and seconds: so it
    // was done before, and what came of it is trusted by its hash.
    const plugin = await Plugin.load(backend === 'jspi' ? manifest : { ...manifest, ...ready }, {
      base,
      backend,
      hostFunctions,
      limits: LIMITS,
      capabilities: { output: { stdout: linesOf(host.print) } },
      ...(backend === 'asyncify' && { trusted: [ready.sha256] }),
      ...(name === 'lua' && { instances: SCRIPTS }),
    });
    return [name, { plugin, manifest }];
  };
  return new Map(await Promise.all(Object.entries(instrumented).map(load)));
}

/** What `run` of the plugin lua takes. */
export function scriptInput(script: string, text: string): string {
  return `${script.replaceAll('\0', '')}\0${text}`;
}

/** Statistics as they go over the network. */
export type Row = Omit<PluginStats, 'lastFailure'> & { readonly lastFailure: string | null };

export function rowOf({ plugin }: Loaded): Row {
  const stats = plugin.stats();
  return { ...stats, lastFailure: stats.lastFailure === null ? null : describeFailure(stats.lastFailure) };
}

/** An error of a plugin in a line: its code if it has one, and what happened. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? `${error.code}: ${error.message}` : error.message;
}

function linesOf(print: (line: string) => void): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder();
  let rest = '';
  return (bytes) => {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) print(line);
  };
}
