// Manifests: what they must say, what their errors say, where their module may be, and which module is loaded at all.
import { describe, expect, test } from 'vitest';
import { type Manifest, Plugin, parseManifest } from 'wasm-fibers/plugin';
import { backend } from '../support/backend.ts';
import { loadGuestFor, loadPlain } from '../support/guest.ts';
import { errorOf, functions, loadPlugin } from '../support/plugin.ts';
import { withSections } from '../support/sections.ts';

const MINIMAL = { name: 'tables', version: '1.2.0', source: 'tables.wasm' };

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** What a manifest is refused with. */
function refusal(manifest: unknown): string {
  try {
    parseManifest(manifest);
  } catch (error) {
    expect(error).toMatchObject({ code: 'INVALID_MANIFEST' });
    return (error as Error).message;
  }
  throw new Error('the manifest was accepted');
}

describe('a manifest', () => {
  test('needs no more than a name, a version and a source', () => {
    expect(parseManifest(MINIMAL)).toEqual(MINIMAL);
  });

  test('with everything is taken as it is', () => {
    const manifest: Manifest = {
      ...MINIMAL,
      version: '1.2.0-beta.1+build.7',
      sha256: 'ab'.repeat(32),
      entryPoints: { shout: 'text', thumbnail: { input: 'bytes', output: 'json' }, add: 'numbers' },
      capabilities: {
        hostFunctions: ['app.log'],
        fetch: ['api.example.org', '*.example.org', 'http://localhost:8080', 'https://[::1]:*'],
        files: ['/data'],
        environment: ['LANG'],
        clock: true,
        random: false,
        output: true,
      },
      limits: { fuel: 1_000_000, memory: 2 ** 24 },
    };
    expect(parseManifest(manifest)).toEqual(manifest);
  });

  test.each<[object, string]>([
    [{ name: undefined }, 'name must be text, not undefined'],
    [{ name: 'two words' }, 'name must be 1 to 100 letters, digits or any of _ - . / @, not "two words"'],
    [{ version: '1.2' }, 'version must be a version such as 1.2.0, not "1.2"'],
    [{ source: 3 }, 'source must be an address, a URL or the bytes of the module, not 3'],
    [{ sha256: 'abc' }, 'sha256 must be a SHA-256 in hexadecimal, 64 digits, not "abc"'],
    [{ entryPoints: { run: 'string' } }, 'entryPoints.run must be one of bytes, text, json, numbers, values'],
    [{ capabilities: { clock: 'yes' } }, 'capabilities.clock must be true or false, not "yes"'],
    [{ capabilities: { fetch: ['ok.org', 'https://a.org/x'] } }, 'capabilities.fetch.1 must be a host such as'],
    [{ capabilities: { files: ['data'] } }, 'capabilities.files.0 must be an absolute path, not "data"'],
    [{ capabilities: { hostFunctions: 'app.log' } }, 'capabilities.hostFunctions must be a list, not "app.log"'],
    [{ limits: { memory: -1 } }, 'limits.memory must be a whole number of bytes from 0 to 4294967296, not -1'],
    [{ limits: { timeout: 1.5 } }, 'limits.timeout must be a whole number of milliseconds'],
    [{ limits: { mem: 1 } }, 'limits.mem is unknown; there are fuel, sliceMs, timeout, memory'],
    [{ sauce: 1 }, 'sauce is unknown; there are name, version, source'],
    [{ toString: 1 }, 'toString is unknown'],
    [{ capabilities: { files: ['/'], network: [] } }, 'capabilities.network is unknown'],
  ])('with %j is refused, and the field is named', (change, message) => {
    expect(refusal({ ...MINIMAL, ...change })).toMatch(/^The manifest( of the plugin "(tables|two words)")?: /);
    expect(refusal({ ...MINIMAL, ...change })).toContain(`: ${message}`);
  });

  test('that is no object, lacks a field or cannot be read is refused', () => {
    expect(refusal(null)).toBe('The manifest must be an object, not null.');
    expect(refusal([])).toContain('The manifest');
    expect(refusal({ name: 'a', version: '1.0.0' })).toBe('The manifest of the plugin "a": source is missing.');
    const hostile = {
      get name(): string {
        throw new Error('no');
      },
    };
    expect(() => parseManifest(hostile)).toThrow();
  });

  test('of hostile JSON changes nothing but what it says', () => {
    const text = JSON.stringify(MINIMAL).replace(
      '{',
      '{"__proto__": {"sha256": "x"}, "constructor": {"prototype": {"polluted": 1}},',
    );
    expect(refusal(JSON.parse(text))).toMatch(/__proto__|constructor/);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('the source of a manifest', () => {
  const load = (source: Manifest['source'], base?: string): Promise<Plugin> =>
    Plugin.load({ ...MINIMAL, source }, { backend, hostFunctions: functions(), ...(base !== undefined && { base }) });

  test('may be the module itself', async () => {
    const plugin = await loadPlugin(
      {
        ...MINIMAL,
        source: await loadPlain('plugin'),
        capabilities: { hostFunctions: ['app.note', 'app.ask', 'app.tell'] },
      },
      { hostFunctions: functions() },
    );
    expect(await plugin.call('echo', 'x')).toBe('x');
    expect([plugin.name, plugin.version]).toEqual(['tables', '1.2.0']);
  });

  test('as an address leads to the folder of the manifest and below, and nowhere else', async () => {
    for (const source of [
      '../tables.wasm',
      '/etc/passwd',
      'https://elsewhere.example/tables.wasm',
      '//elsewhere.example/tables.wasm',
      'file:///etc/passwd',
      'data:application/wasm;base64,AGFzbQEAAAA=',
      '%2e%2e/tables.wasm',
      'a/..%2f..%2ftables.wasm',
      '..\\tables.wasm',
    ]) {
      expect(await errorOf(load(source, 'https://example.org/plugins/plugin.json')), source).toMatchObject({
        code: 'INVALID_MANIFEST',
        message: expect.stringMatching(/source leads out of the folder of the manifest/),
        plugin: { name: 'tables', version: '1.2.0' },
      });
    }
    expect(await errorOf(load('tables.wasm'))).toMatchObject({
      code: 'INVALID_MANIFEST',
      message: expect.stringMatching(/nothing says relative to what/),
    });
  });

  test('is the module that the SHA-256 is of', async () => {
    const source = await loadPlain('plugin');
    const options = { hostFunctions: functions() };
    const asked = { capabilities: { hostFunctions: ['app.note', 'app.ask', 'app.tell'] } };
    const right = await loadPlugin(
      { ...MINIMAL, ...asked, source, sha256: (await sha256(source)).toUpperCase() },
      options,
    );
    expect(await right.call('add', [1, 2], { as: 'numbers' })).toBe(3);
    const wrong = await errorOf(loadPlugin({ ...MINIMAL, ...asked, source, sha256: '0'.repeat(64) }, options));
    expect(wrong).toMatchObject({ code: 'UNTRUSTED_MODULE', plugin: { name: 'tables' } });
    expect(wrong.message).toContain(await sha256(source));
  });
});

describe('entry points', () => {
  test('of a manifest are all that can be called, each in its kind', async () => {
    const plugin = await loadPlugin(
      {
        ...MINIMAL,
        source: await loadPlain('plugin'),
        entryPoints: { echo: 'json', add: 'numbers' },
        capabilities: { hostFunctions: ['app.note', 'app.ask', 'app.tell'] },
      },
      { hostFunctions: functions() },
    );
    expect(await plugin.call('echo', 'text')).toBe('text');
    expect(await plugin.call('echo', 'text', { as: 'text' })).toBe('text');
    expect(await plugin.call('add', [1, 2])).toBe(3);
    expect(await errorOf(plugin.call('trap', []))).toMatchObject({
      code: 'NO_SUCH_EXPORT',
      message: 'The plugin "tables" 1.2.0 has no entry point trap. It has: echo, add.',
    });
  });

  test('have to be there', async () => {
    const manifest = {
      ...MINIMAL,
      source: await loadPlain('plugin'),
      entryPoints: { shout: 'text' as const },
      capabilities: { hostFunctions: ['app.note', 'app.ask', 'app.tell'] },
    };
    expect(await errorOf(loadPlugin(manifest, { hostFunctions: functions() }))).toMatchObject({
      code: 'NO_SUCH_EXPORT',
      message: expect.stringMatching(/has no function shout, which its manifest names/),
    });
  });
});

describe('a module that is instrumented already', () => {
  test('is loaded only if its SHA-256 is listed', async () => {
    const bytes = await loadGuestFor(backend, 'plugin');
    const options = { hostFunctions: functions() };
    const refused = await errorOf(loadPlugin(bytes, options));
    expect(refused).toMatchObject({ code: 'UNTRUSTED_MODULE' });
    const hash = await sha256(bytes);
    expect(refused.message).toContain(`trusted: ['${hash}']`);
    const plugin = await loadPlugin(bytes, { ...options, trusted: ['0'.repeat(64), hash] });
    expect(await plugin.call('ask', 'yes')).toBe('YES');
    const pair = { asyncify: loadGuestFor('asyncify', 'plugin'), jspi: loadGuestFor('jspi', 'plugin') };
    expect(await (await loadPlugin(pair, { ...options, trusted: [hash] })).call('ask', 'x')).toBe('X');
  });

  test('is one that says so, whatever it is', async () => {
    const plain = await loadPlain('plugin');
    const lie = new TextEncoder().encode('{"version":2}');
    for (const forged of [
      withSections(plain, 'wasm-fibers', lie),
      withSections(plain, 'wasm-fibers', new Uint8Array()),
    ]) {
      const error = await errorOf(loadPlugin(forged, { hostFunctions: functions() }));
      expect(error).toMatchObject({ code: 'UNTRUSTED_MODULE' });
    }
  });
});

describe('what is no module', () => {
  test.each<[string, () => unknown, string]>([
    ['text', () => new TextEncoder().encode('(module)'), 'NOT_WASM'],
    ['a damaged module', () => Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 99]), 'BAD_MODULE'],
    [
      'a compiled module',
      () => new WebAssembly.Module(Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])),
      'INVALID_OPTION',
    ],
    ['a path', () => 'plugin.wasm', 'INVALID_OPTION'],
    ['nothing', () => null, 'INVALID_OPTION'],
    ['a response that failed', () => new Response('', { status: 404 }), 'BAD_MODULE'],
  ])('%s', async (_name, source, code) => {
    expect(await errorOf(Plugin.load(source() as Uint8Array<ArrayBuffer>, { backend }))).toMatchObject({ code });
  });

  test('unknown options of load are refused', async () => {
    const error = await errorOf(Plugin.load(new Uint8Array(), { limit: {} } as object));
    expect(error).toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(/^The options of Plugin.load: limit is unknown; there are hostFunctions/),
    });
  });
});
