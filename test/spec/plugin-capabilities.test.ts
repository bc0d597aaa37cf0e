// What a plugin gets of the host: what was granted and asked for. Nothing else is there, and what is missing is named.
import { describe, expect, test } from 'vitest';
import { AssemblyScriptError } from 'wasm-fibers/assemblyscript';
import type { GrantedCapabilities, Plugin, PluginOptions, RequestedCapabilities } from 'wasm-fibers/plugin';
import { memoryFiles } from 'wasm-fibers/wasi';
import { loadPlain } from '../support/guest.ts';
import { errorOf, functions, loadPlugin, textPlugin } from '../support/plugin.ts';

const numbers = { as: 'numbers' } as const;
const NOT_CAPABLE = 76;

/** A plugin with a manifest that asks for this. */
async function asking(guest: string, capabilities: RequestedCapabilities, options: PluginOptions): Promise<Plugin> {
  return loadPlugin({ name: 'asking', version: '1.0.0', source: await loadPlain(guest), capabilities }, options);
}

describe('host functions', () => {
  const app = ['app.note', 'app.ask', 'app.tell'];

  test('that a manifest asks for are there', async () => {
    const plugin = await asking('plugin', { hostFunctions: app }, { hostFunctions: functions() });
    expect(await plugin.call('ask', 'x')).toBe('X');
  });

  test('that it does not ask for are not, though they were granted', async () => {
    const error = await errorOf(asking('plugin', { hostFunctions: ['app.note'] }, { hostFunctions: functions() }));
    expect(error).toMatchObject({ code: 'CAPABILITY_DENIED', plugin: { name: 'asking', version: '1.0.0' } });
    expect(error.message).toMatch(/imports what it may not have: app\.ask \(granted, but not asked for.*, app\.tell/);
  });

  test('that it asks for and nobody granted are named before the module is read', async () => {
    const loading = loadPlugin(
      {
        name: 'asking',
        version: '1.0.0',
        source: new TextEncoder().encode('no module'),
        capabilities: { hostFunctions: ['app.note', 'app.delete', 'constructor.name'], clock: true, files: ['/data'] },
      },
      { hostFunctions: functions() },
    );
    expect(await errorOf(loading)).toMatchObject({
      code: 'CAPABILITY_DENIED',
      message: expect.stringMatching(
        /asks for what it was not granted: the host function app\.delete, the host function constructor\.name, clock, the files at \/data\./,
      ),
    });
  });

  test('that are imported and were never spoken of are missing', async () => {
    expect(await errorOf(loadPlugin(await loadPlain('plugin')))).toMatchObject({
      code: 'MISSING_IMPORTS',
      message: expect.stringMatching(/imports what there is not: app\.note.*app\.ask.*app\.tell/),
    });
  });

  test('of the wrong kind are refused', async () => {
    expect(await errorOf(textPlugin({ note: 3 as never }))).toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('app.note must be a function'),
    });
    const { textFunction } = await import('wasm-fibers/plugin');
    expect(await errorOf(textPlugin({ note: textFunction((text) => text) }))).toMatchObject({
      code: 'MISSING_IMPORTS',
      message: expect.stringContaining('imports app.note as (i32) -> (i32)'),
    });
  });
});

describe('fetch', () => {
  interface Sent {
    readonly url: string;
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
  }
  type Answers = Readonly<Record<string, () => Response>>;

  /** A network of these addresses; what was sent is noted. */
  async function network(
    hosts: readonly string[],
    answers: Answers,
    options: PluginOptions = {},
  ): Promise<{ sent: Sent[]; get(request: unknown): Promise<unknown> }> {
    const sent: Sent[] = [];
    const fetch = async (url: URL, init: RequestInit): Promise<Response> => {
      expect(init).toMatchObject({ redirect: 'manual', credentials: 'omit', referrerPolicy: 'no-referrer' });
      const headers = Object.fromEntries(new Headers(init.headers));
      sent.push({ url: url.href, method: init.method ?? '', headers });
      const answer = answers[url.href];
      if (answer === undefined) throw new TypeError('fetch failed');
      return answer();
    };
    const plugin = await loadPlugin(await loadPlain('plugin-fetch'), {
      capabilities: { fetch: { hosts, fetch } },
      ...options,
    });
    return {
      sent,
      get: (request) => plugin.call('get', typeof request === 'string' ? { url: request } : request, { as: 'json' }),
    };
  }

  const page =
    (text: string, headers: Record<string, string> = {}) =>
    (): Response =>
      new Response(text, { headers });
  const redirect =
    (to: string, status = 302) =>
    (): Response =>
      new Response(null, { status, headers: { location: to } });

  test('needs the capability', async () => {
    expect(await errorOf(loadPlugin(await loadPlain('plugin-fetch')))).toMatchObject({
      code: 'CAPABILITY_DENIED',
      message: expect.stringContaining('plugin.fetch (the capability fetch)'),
    });
    const capabilities = { fetch: ['api.example.org', '*.example.net'] };
    for (const host of ['example.org', 'http://api.example.org', 'api.example.org:8080', '*.org', '*', 'example.net']) {
      expect(await errorOf(asking('plugin-fetch', { fetch: [host] }, { capabilities })), host).toMatchObject({
        code: 'CAPABILITY_DENIED',
        message: expect.stringContaining(`to fetch from ${host}`),
      });
    }
    for (const host of ['api.example.org', 'API.Example.ORG', 'a.example.net', '*.a.example.net', '*.example.net']) {
      await asking('plugin-fetch', { fetch: [host] }, { capabilities });
    }
  });

  test('gives what the host answers, as text or base64', async () => {
    const { get, sent } = await network(['api.example.org'], {
      'https://api.example.org/a': page('grüße', { 'x-kind': 'text' }),
      'https://api.example.org/b': () => new Response(Uint8Array.of(0xff, 0, 1), { status: 201 }),
    });
    expect(await get('https://api.example.org/a')).toMatchObject({
      status: 200,
      body: 'grüße',
      headers: { 'x-kind': 'text' },
    });
    expect(await get('https://API.example.org:443/b')).toMatchObject({
      status: 201,
      body: btoa('\xff\0\x01'),
      encoding: 'base64',
    });
    await get({
      url: 'https://api.example.org/a',
      method: 'put',
      headers: { 'x-a': '1' },
      body: 'aGk=',
      encoding: 'base64',
    });
    expect(sent.at(-1)).toMatchObject({ method: 'PUT', headers: { 'x-a': '1' } });
    expect(await get('https://api.example.org/none')).toEqual({
      status: 0,
      headers: {},
      body: '',
      error: 'fetch failed',
    });
  });

  const allowed = [
    'api.example.org',
    '*.wild.example',
    'http://localhost:8080',
    'https://[2001:db8::1]',
    'bücher.example',
    '*:8443',
  ];

  test.each([
    'http://api.example.org/',
    'https://api.example.org:8080/',
    'https://example.org/',
    'https://api.example.org./',
    'https://user@api.example.org/',
    'https://api.example.org:pass@evil.example/',
    'https://api.example.org.evil.example/',
    'https://evil.example/#api.example.org',
    'https://evil.example\\@api.example.org/',
    'https://wild.example/',
    'https://awild.example/',
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://0177.0.0.1/',
    'https://127.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://１２７.0.0.1/',
    'https://localhost/',
    'http://localhost/',
    'http://localhost:8081/',
    'https://localhost:8443/',
    'https://127.0.0.1:8443/',
    'https://[::1]:8443/',
    'https://router:8443/',
    'https://printer.local:8443/',
    'https://metadata.google.internal:8443/',
    'https://localhost.localdomain:8443/',
    'https://kubernetes.default.svc:8443/',
    'https://public.example.:8443/',
    'file:///etc/passwd',
    'data:text/plain,x',
    'ftp://api.example.org/',
    'blob:https://api.example.org/1',
  ])('does not reach %s', async (url) => {
    const { get, sent } = await network(allowed, {});
    expect(await errorOf(get(url))).toMatchObject({
      code: 'CAPABILITY_DENIED',
      message: expect.stringMatching(/^The plugin may not fetch /),
    });
    expect(sent).toEqual([]);
  });

  test.each([
    'https://api.example.org/',
    'https://a.b.wild.example/',
    'http://localhost:8080/',
    'https://[2001:db8:0:0::1]/',
    'https://xn--bcher-kva.example/',
    'https://public.example:8443/',
  ])('reaches %s', async (url) => {
    const { get } = await network(allowed, { [url]: page('there'), [new URL(url).href]: page('there') });
    expect(await get(url)).toMatchObject({ status: 200, body: 'there' });
  });

  test('follows redirections, each of which is checked', async () => {
    const { get, sent } = await network(['api.example.org', 'cdn.example.org'], {
      'https://api.example.org/': redirect('/next'),
      'https://api.example.org/next': redirect('https://cdn.example.org/file', 307),
      'https://cdn.example.org/file': page('file'),
      'https://api.example.org/out': redirect('https://10.0.0.1/'),
      'https://api.example.org/local': redirect('http://cdn.example.org/file'),
      'https://api.example.org/loop': redirect('/loop'),
      'https://api.example.org/posted': redirect('https://cdn.example.org/file', 303),
      'https://api.example.org/nowhere': redirect('http://['),
    });
    expect(await get('https://api.example.org/')).toMatchObject({ status: 200, body: 'file' });
    for (const path of ['out', 'local']) {
      expect(await errorOf(get(`https://api.example.org/${path}`))).toMatchObject({
        code: 'CAPABILITY_DENIED',
        message: expect.stringContaining('api.example.org redirects to it'),
      });
    }
    expect(await get('https://api.example.org/loop')).toMatchObject({
      status: 0,
      error: expect.stringContaining('more than 5 times'),
    });
    expect(await get('https://api.example.org/nowhere')).toMatchObject({
      status: 0,
      error: expect.stringContaining('no address'),
    });
    const headers = { authorization: 'secret', 'content-type': 'text/plain', 'x-a': '1' };
    await get({ url: 'https://api.example.org/posted', method: 'POST', headers, body: 'x' });
    expect(sent.slice(-2).map(({ method }) => method)).toEqual(['POST', 'GET']);
    expect(sent.at(-1)?.headers).toEqual({ 'x-a': '1' });
  });

  test('in a browser does not follow what the browser does not show', async () => {
    const opaque = (): Response => Object.defineProperty(new Response(), 'type', { value: 'opaqueredirect' });
    const { get } = await network(['api.example.org'], { 'https://api.example.org/': opaque });
    expect(await errorOf(get('https://api.example.org/'))).toMatchObject({
      code: 'CAPABILITY_DENIED',
      message: expect.stringContaining('a browser does not say where to'),
    });
  });

  test('does not let a plugin write headers that say where a message goes', async () => {
    const { get, sent } = await network(['api.example.org'], {});
    for (const name of [
      'Host',
      'cookie',
      'Transfer-Encoding',
      'content-length',
      'Sec-Fetch-Site',
      'proxy-authorization',
      'Origin',
    ]) {
      expect(await errorOf(get({ url: 'https://api.example.org/', headers: { [name]: 'x' } })), name).toMatchObject({
        code: 'CAPABILITY_DENIED',
      });
    }
    expect(sent).toEqual([]);
  });

  test('of more than the limit ends the call', async () => {
    const endless = (): Response =>
      new Response(new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1000)) }));
    const { get } = await network(
      ['api.example.org'],
      { 'https://api.example.org/': endless },
      { limits: { inputBytes: 10_000 } },
    );
    expect(await errorOf(get('https://api.example.org/'))).toMatchObject({
      code: 'LIMIT_REACHED',
      limit: 'inputBytes',
    });
  });

  test.each<[unknown, RegExp]>([
    [{ url: 'https://api.example.org/', redirect: 'follow' }, /redirect is unknown/],
    [{ url: 3 }, /url must be text, not 3/],
    [{ url: '/relative' }, /no absolute address/],
    [{ url: 'https://api.example.org/', method: 'GET /\r\nX: y' }, /method must be a method/],
    [{ url: 'https://api.example.org/', headers: { 'a\r\nb': 'x' } }, /a header that is none/],
    [{ url: 'https://api.example.org/', body: '###', encoding: 'base64' }, /no base64/],
    ['', /no JSON|must be|absolute/],
    [{ url: `https://api.example.org/${'x'.repeat(9000)}` }, /url must have at most 8192 characters, not "https/],
    [{ url: `https://${'x'.repeat(600)}.example.org/` }, /no absolute address/],
    [{ url: 'https://api.example.org/', method: 'X'.repeat(1000) }, /method must be a method/],
    [
      { url: 'https://api.example.org/', headers: { ['x'.repeat(1000)]: 'x' } },
      /headers.x{90,200}\.\.\. must have at most/,
    ],
    [{ url: 'https://api.example.org/', headers: { x: 'x'.repeat(20_000) } }, /headers.x must have at most 16384/],
    [{ url: 'https://api.example.org/', ['x'.repeat(100_000)]: 1 }, /: x{200}\.\.\. is unknown/],
  ])('refuses the request %j', async (request, message) => {
    const { get } = await network(['api.example.org'], {});
    const error = await errorOf(get(request));
    expect(error).toMatchObject({ code: 'CORRUPT_VALUE', message: expect.stringMatching(message) });
  });

  test('refuses a host before it looks at what else there is', async () => {
    const { get } = await network(['api.example.org'], {});
    const request = { url: 'https://evil.example/', headers: { 'a\r\nb': 'x' }, body: '###', encoding: 'base64' };
    expect(await errorOf(get(request))).toMatchObject({ code: 'CAPABILITY_DENIED' });
  });

  test('ends with the call', async () => {
    let aborted = false;
    const fetch = (_: URL, { signal }: RequestInit): Promise<Response> =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          aborted = true;
          reject(signal.reason as Error);
        });
      });
    const plugin = await loadPlugin(await loadPlain('plugin-fetch'), {
      capabilities: { fetch: { hosts: ['api.example.org'], fetch } },
    });
    const error = await errorOf(plugin.call('get', { url: 'https://api.example.org/' }, { timeout: 30 }));
    expect(error).toMatchObject({ code: 'TIMEOUT' });
    expect(aborted).toBe(true);
  });
});

describe('a plugin that uses WASI', () => {
  const all: GrantedCapabilities = {
    files: { 'note.txt': 'remember', '/other': memoryFiles({ 'secret.txt': 'secret' }) },
    environment: { LANG: 'de', TOKEN: 'secret' },
    clock: true,
    random: true,
  };

  test('is made ready, and has nothing by default', async () => {
    const plugin = await loadPlugin(await loadPlain('plugin-wasi'));
    expect(await plugin.call('ready', [], numbers)).toBe(1);
    expect(await plugin.call('time', [], numbers)).toBe(NOT_CAPABLE);
    expect(await plugin.call('random', [], numbers)).toBe(NOT_CAPABLE);
    expect(await plugin.call('environment', 'x')).toBe('');
    expect(await plugin.call('read', 'note.txt')).toBe('');
    // To nowhere.
    await plugin.call('print', 'hello');
  });

  test('has all that was granted if it has no manifest', async () => {
    const plugin = await loadPlugin(await loadPlain('plugin-wasi'), { capabilities: all });
    expect(await plugin.call('time', [], numbers)).toBe(0);
    expect(await plugin.call('random', [], numbers)).toBe(0);
    expect(await plugin.call('environment', 'x')).toBe('LANG=de\0TOKEN=secret\0');
    expect(await plugin.call('read', 'note.txt')).toBe('remember');
    expect(await plugin.call('read', 'other/secret.txt')).toBe('secret');
  });

  test('has no more than its manifest asks for', async () => {
    const plugin = await asking(
      'plugin-wasi',
      { environment: ['LANG'], files: ['note.txt', '/note.txt'].slice(1), random: true },
      { capabilities: all },
    );
    expect(await plugin.call('time', [], numbers)).toBe(NOT_CAPABLE);
    expect(await plugin.call('random', [], numbers)).toBe(0);
    expect(await plugin.call('environment', 'x')).toBe('LANG=de\0');
    expect(await plugin.call('read', 'note.txt')).toBe('remember');
    expect(await plugin.call('read', 'other/secret.txt')).toBe('');
    expect(await plugin.call('read', '../etc/passwd')).toBe('');
  });

  test('writes where its output was granted to go', async () => {
    const lines: string[] = [];
    const output = { stdout: (bytes: Uint8Array) => void lines.push(new TextDecoder().decode(bytes)) };
    const plugin = await loadPlugin(await loadPlain('plugin-wasi'), { capabilities: { output } });
    await plugin.call('print', 'hello');
    expect(lines).toEqual(['hello']);
    const silent = await asking('plugin-wasi', {}, { capabilities: { output } });
    await silent.call('print', 'hello');
    expect(lines).toEqual(['hello']);
  });

  test('has a clock of the embedder’s', async () => {
    const clock = { realtime: () => 86_400_000_000_000n, monotonic: () => 0n, wait: () => Promise.resolve() };
    const plugin = await loadPlugin(await loadPlain('plugin-wasi'), { capabilities: { clock } });
    expect(await plugin.call('seconds', [], numbers)).toBe(86_400n);
  });

  test('that exits fails the call, and the next one has a fresh instance', async () => {
    const plugin = await loadPlugin(await loadPlain('plugin-wasi'));
    expect(await errorOf(plugin.call('exit', [3], numbers))).toMatchObject({
      code: 'GUEST_POISONED',
      message: expect.stringContaining('exited with code 3'),
    });
    expect(await plugin.call('ready', [], numbers)).toBe(1);
    expect(plugin.stats()).toMatchObject({ restarts: 1, instances: 1 });
  });
});

describe('what AssemblyScript’s library imports', () => {
  const load = async (capabilities: GrantedCapabilities): Promise<Plugin> =>
    loadPlugin(await loadPlain('plugin-language'), {
      capabilities,
      hostFunctions: { app: { wait: (x: number) => Promise.resolve(x) } },
    });

  test('is a capability, where it tells anything', async () => {
    const error = await errorOf(load({}));
    expect(error).toMatchObject({ code: 'CAPABILITY_DENIED' });
    expect(error.message).toContain('env.seed (the capability random), env.Date.now (the capability clock)');
    const plugin = await load({ clock: true, random: true });
    expect(await plugin.call('now', [], numbers)).toBeGreaterThan(1e12);
    expect(await plugin.call('seed', [], numbers)).not.toBe(await plugin.call('seed', [], numbers));
    expect(await plugin.call('sqrt', [9], numbers)).toBe(3);
    expect(await plugin.call('wait', [4], numbers)).toBe(4);
  });

  test('says where it aborted', async () => {
    const plugin = await load({ clock: true, random: true });
    const error = await errorOf(plugin.call('abort', [], numbers));
    expect(error).toBeInstanceOf(AssemblyScriptError);
    expect(error).toMatchObject({
      reason: 'no',
      fileName: 'a.ts',
      lineNumber: 3,
      columnNumber: 5,
      plugin: { name: 'plugin' },
    });
    expect(await errorOf(plugin.call('abort_nowhere', [], numbers))).toMatchObject({ reason: 'abort', fileName: '' });
  });
});
