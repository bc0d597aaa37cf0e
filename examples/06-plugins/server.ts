// The server: it gives the page its files, answers what the page's plugins look up, and offers the same plugins itself.
//
//   GET  /                        the page
//   GET  /lookup?word=fiber       what a word means
//   GET  /plugins                 what its own plugins have done so far, as JSON
//   POST /plugins/wrap/justify    calls a plugin with the text that is sent: ?timeout=MILLISECONDS; for lua/run also ?script=NAME
//
// What holds: a file is served only if it was there at the start, so that no address leads anywhere else; a runaway holds up no
// other request for longer than a slice, ends at its limit, and ends at once if whoever asked goes away.
import { readFile, readdir } from 'node:fs/promises';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PluginCallOptions } from 'wasm-fibers/plugin';
import { lookUp } from './glossary.ts';
import { type Loaded, describeFailure, loadPlugins, rowOf, scriptInput } from './plugins.ts';

export interface EditorServer extends AsyncDisposable {
  readonly url: string;
  readonly plugins: ReadonlyMap<string, Loaded>;
  /** Names and texts of the scripts. */
  readonly scripts: ReadonlyMap<string, string>;
}

export interface ServerOptions {
  /** 0 for any that is free. */
  readonly port: number;
  /** Milliseconds that the glossary takes for a word. */
  readonly latency: number;
  print(line: string): void;
}

/** The page may load what is here, and nothing else may be done to it. */
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript',
  json: 'application/json',
  lua: 'text/plain; charset=utf-8',
  wasm: 'application/wasm',
};
const MOST_BYTES = 2 ** 20;

/** What is answered: a status, a body, the extension that says what it is. */
type Answer = readonly [status: number, body: string | Uint8Array, extension: keyof typeof TYPES];

const json = (status: number, value: unknown): Answer => [status, JSON.stringify(value), 'json'];
const here = (path: string): URL => new URL(path, import.meta.url);

export async function startServer({ port, latency, print }: ServerOptions): Promise<EditorServer> {
  const lookup = (word: string, signal: AbortSignal | null): Promise<string> => lookUp(word, latency, signal);
  const source = {
    base: here('plugins/'),
    read: async (file: URL): Promise<unknown> => JSON.parse(await readFile(file, 'utf8')) as unknown,
  };
  const plugins = await loadPlugins(source, { lookup, print });
  const scripts = await readScripts();
  const files = await findFiles();

  async function answer(request: IncomingMessage, signal: AbortSignal): Promise<Answer> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const call = /^\/plugins\/(\w+)\/(\w+)$/.exec(pathname);
    if (request.method === 'POST' && call !== null) {
      const [, name = '', entry = ''] = call;
      const body = await readText(request);
      if (body === null) return json(413, { message: `A text has ${MOST_BYTES} bytes at most.` });
      const script = searchParams.get('script');
      const code = script === null ? null : scripts.get(script);
      if (code === undefined) return json(404, { message: `There is no script ${script}.` });
      const timeout = searchParams.get('timeout');
      const options = { signal, ...(timeout !== null && { timeout: Number(timeout) }) };
      return callPlugin(plugins.get(name), entry, code === null ? body : scriptInput(code, body), options);
    }
    if (request.method !== 'GET') return json(405, { message: 'Plugins are called by POST /plugins/NAME/FUNCTION.' });
    if (pathname === '/plugins') return json(200, [...plugins.values()].map(rowOf));
    if (pathname === '/scripts') return json(200, Object.fromEntries(scripts));
    if (pathname === '/lookup') return json(200, await lookup(searchParams.get('word') ?? '', signal));
    const file = files.get(pathname);
    if (file === undefined) return json(404, { message: `There is no ${pathname}.` });
    return [200, await readFile(file), /\w+$/.exec(file.pathname)?.[0] ?? ''];
  }

  const server = createServer((request, response) => {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    void answer(request, gone.signal)
      .catch((error: unknown) => json(500, { message: describeFailure(error) }))
      .then((answer) => send(response, answer));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  // A server that listens on a port has an address of this kind.
  const { port: own } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${own}/`,
    plugins,
    scripts,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await Promise.all([...plugins.values()].map(({ plugin }) => plugin.dispose()));
    },
  };
}

async function callPlugin(
  loaded: Loaded | undefined,
  entry: string,
  input: string,
  options: PluginCallOptions,
): Promise<Answer> {
  if (loaded === undefined) return json(404, { message: 'There is no plugin of that name.' });
  try {
    return json(200, { text: await loaded.plugin.call<string>(entry, input, options) });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    const status = code === 'NO_SUCH_EXPORT' ? 404 : code === 'TIMEOUT' ? 504 : 422;
    return json(status, { code, message: error instanceof Error ? error.message : String(error) });
  }
}

async function readScripts(): Promise<ReadonlyMap<string, string>> {
  const folder = here('scripts/');
  const names = (await readdir(folder)).filter((file) => file.endsWith('.lua')).toSorted();
  const read = async (file: string): Promise<[string, string]> => [
    file.slice(0, -'.lua'.length),
    await readFile(new URL(file, folder), 'utf8'),
  ];
  return new Map(await Promise.all(names.map(read)));
}

/** By their addresses. */
async function findFiles(): Promise<ReadonlyMap<string, URL>> {
  const files = new Map([['/', here('site/index.html')]]);
  for (const file of ['page.js', 'style.css']) files.set(`/${file}`, here(`site/${file}`));
  for (const file of await readdir(here('plugins/'))) {
    if (/\.(?:json|wasm)$/.test(file)) files.set(`/plugins/${file}`, here(`plugins/${file}`));
  }
  return files;
}

/** Null if it is too long. */
async function readText(request: IncomingMessage): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > MOST_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, [status, body, extension]: Answer): void {
  response.writeHead(status, {
    'content-type': TYPES[extension] ?? 'application/octet-stream',
    'content-security-policy': POLICY,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  response.end(body);
}
