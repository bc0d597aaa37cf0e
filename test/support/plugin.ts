// Plugins for tests: loaded as their compiler made them, for the backend that this run tests, and disposed of at the end.
import { afterEach, beforeAll, expect } from 'vitest';
import { type HostFunctions, Plugin, type PluginOptions, type PluginSource, textFunction } from 'wasm-fibers/plugin';
import { backend } from './backend.ts';
import { loadPlain } from './guest.ts';

const open: Plugin[] = [];

/** Milliseconds. Binaryen is ten megabytes, which a development server may have to bundle first. */
const FIRST_LOAD = 300_000;

// The first module that is instrumented for Asyncify loads Binaryen, for which a browser takes longer than a test may.
beforeAll(async () => {
  const limits = { loadMs: FIRST_LOAD };
  const plugin = await Plugin.load(await loadPlain('plugin'), { backend, hostFunctions: functions(), limits });
  await plugin.dispose();
}, FIRST_LOAD);

afterEach(async () => {
  for (const each of open.splice(0)) {
    await each.dispose();
    expect(each.stats()).toMatchObject({ running: 0, instances: 0 });
  }
});

export async function loadPlugin(source: PluginSource, options: PluginOptions = {}): Promise<Plugin> {
  const plugin = await Plugin.load(source, { backend, ...options });
  open.push(plugin);
  return plugin;
}

/** What plugin.wat imports: `note` gives back its argument, `ask` its text in capitals. */
export const functions = (more: HostFunctions['app'] = {}): HostFunctions => ({
  app: {
    note: (x: number) => x,
    ask: textFunction((text) => text.toUpperCase()),
    tell: textFunction(() => {}),
    ...more,
  },
});

/** The plugin of plugin.wat. */
export async function textPlugin(more: HostFunctions['app'] = {}, options: PluginOptions = {}): Promise<Plugin> {
  return loadPlugin(await loadPlain('plugin'), { hostFunctions: functions(more), ...options });
}

/** As the option `trusted` takes it. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The error that a promise rejects with, as an object to match. */
export async function errorOf(promise: PromiseLike<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    return error as Error & Record<string, unknown>;
  }
  throw new Error('the promise was expected to reject');
}
