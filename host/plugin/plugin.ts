/** A plugin as its embedder holds it: loaded, called, replaced by another version while it runs, and disposed of. */
/// <reference lib="esnext.disposable" preserve="true" />
import { FiberError } from '../errors.ts';
import { Call } from './call.ts';
import { type PluginIdentity, failureOf } from './failures.ts';
import { limitReached } from './limits.ts';
import type { EntryKind } from './manifest.ts';
import { type PluginCallOptions, type PluginOptions, checkCallOptions, checkPluginOptions } from './options.ts';
import { Statistics, type PluginStats } from './statistics.ts';
import { RESERVED, kindOf, takeInput } from './values.ts';
import { type PluginSource, type Version, describe, openVersion } from './version.ts';

/**
 * Code that one does not trust, in limits that hold, with nothing of the host but what it is given.
 *
 * @example
 * const plugin = await Plugin.load(new URL('shout.wasm', import.meta.url), {
 *   hostFunctions: { app: { translate: textFunction(async (text) => translate(text)) } },
 *   limits: { memory: 2 ** 24, timeout: 1000 },
 * });
 * console.log(await plugin.call('shout', 'hello'));
 */
export class Plugin {
  #version: Version;
  readonly #options: PluginOptions;
  readonly #statistics: Statistics;
  /** Versions that were replaced and still have calls. */
  readonly #retired = new Set<Version>();
  #reloading: Promise<unknown> = Promise.resolve();
  #disposing: Promise<void> | null = null;
  #unsubscribe: (() => void) | null = null;

  private constructor(version: Version, options: PluginOptions, statistics: Statistics) {
    this.#version = version;
    this.#options = options;
    this.#statistics = statistics;
    const { signal } = options;
    if (signal === undefined) return;
    const dispose = (): void => void this.dispose();
    signal.addEventListener('abort', dispose, { once: true });
    this.#unsubscribe = () => signal.removeEventListener('abort', dispose);
  }

  /**
   * Loads a plugin and makes its first instance, so that what is wrong with it is known here.
   *
   * @param source the module as its compiler made it: a URL, bytes, a response or a promise of one; one that the embedder has
   * instrumented and lists in `trusted`, or a pair of those for both backends; or a manifest
   * @throws FiberError `INVALID_OPTION`, `INVALID_MANIFEST`, `CAPABILITY_DENIED`, `UNTRUSTED_MODULE`, `LIMIT_REACHED`
   * (moduleBytes, loadMs, memory, tableElements), `MISSING_IMPORTS`, `NO_SUCH_EXPORT`, `NOT_WASM`, `BAD_MODULE`; what
   * `instrument` throws; and what the module's own beginning throws. All have `plugin`, the name and version
   * @example
   * const plugin = await Plugin.load(JSON.parse(text), { base: 'https://example.org/plugins/tables/plugin.json' });
   */
  static async load(source: PluginSource, options: PluginOptions = {}): Promise<Plugin> {
    const checked = checkPluginOptions(options);
    checked.signal?.throwIfAborted();
    const statistics = new Statistics();
    return new Plugin(await open(source, checked, statistics), checked, statistics);
  }

  get name(): string {
    return this.#version.identity.name;
  }

  get version(): string {
    return this.#version.identity.version;
  }

  /** Which backend the calls run on. */
  get backend(): 'asyncify' | 'jspi' {
    return this.#version.pool.environment.prepared.metadata.target;
  }

  /**
   * Calls an entry point.
   *
   * @param name an export of the module; if the manifest has `entryPoints`, one of them
   * @param input what it takes, as the kind of the entry point says: text, bytes, a value that JSON has, or a list of arguments
   * @returns what it gives: always a copy, or a number
   * @throws FiberError `LIMIT_REACHED` (its `limit` is the name), `OUT_OF_FUEL`, `TIMEOUT`, `CANCELLED`, `NO_SUCH_EXPORT`,
   * `INVALID_OPTION`, `CORRUPT_VALUE` if the plugin gives what it must not, `GUEST_POISONED`, `HOST_FUNCTION_FAILED`,
   * `CAPABILITY_DENIED`, `DISPOSED`; the plugin's own trap; and what host functions throw. All have `plugin`, the name and
   * version
   * @example
   * const sizes = await plugin.call<number[]>('measure', { text, font }, { as: 'json', timeout: 200 });
   */
  async call<R = unknown>(name: string, input?: unknown, options: PluginCallOptions = {}): Promise<R> {
    const version = this.#version;
    const statistics = this.#statistics;
    statistics.calls += 1;
    statistics.running += 1;
    try {
      const result = await this.#call(version, name, input, checkCallOptions(options));
      statistics.failing = false;
      // What it is, the caller says.
      return result as R;
    } catch (error) {
      const { sourceMap } = version.pool.environment.prepared;
      const failure = failureOf(error, version.identity, sourceMap);
      statistics.failures += 1;
      statistics.failing = true;
      statistics.lastFailure = failure;
      throw failure;
    } finally {
      statistics.running -= 1;
    }
  }

  async #call(version: Version, name: string, input: unknown, options: PluginCallOptions): Promise<unknown> {
    const { pool } = version;
    const { subject, limits, prepared } = pool.environment;
    if (this.#disposing !== null) throw new FiberError('DISPOSED', `${subject} was disposed of.`);
    if (this.#statistics.running > limits.fibers) {
      throw limitReached('fibers', `${subject} has ${limits.fibers} calls already, which is the limit fibers.`);
    }
    const kind = entryOf(version, name) ?? options.as ?? kindOf(input, prepared.typed);
    // Before anything is waited for, since the caller may change it afterwards.
    const given = takeInput(kind, input, { typed: prepared.typed, limits }, `${subject}: ${name}`);
    const call = new Call(name, subject, prepared.metadata.metered, {
      timeout: least(options.timeout, limits.timeout),
      fuel: least(options.fuel, limits.fuel),
      signal: options.signal,
    });
    try {
      for (;;) {
        const instance = await pool.acquire(call);
        try {
          return await instance.call(given, call);
        } catch (error) {
          // The call before this one has spoilt the instance, which nobody had noticed: this one has done nothing yet.
          if (!isPoisoned(error) || call.begun) throw error;
        } finally {
          pool.release(instance);
        }
      }
    } finally {
      call.close();
      this.#statistics.fuel += call.fuel;
      this.#statistics.slices += call.slices;
      this.#statistics.guestMs += call.guestMs;
    }
  }

  /**
   * Replaces the plugin by another version of it: calls that run end in the old one, new ones go to the new one. If the new one
   * cannot be loaded, the old one stays.
   *
   * @param source as for `load`; of a manifest, with the same name
   * @param changes options that are others than at `load`
   * @throws FiberError as `load` does; `DISPOSED`
   * @example
   * watch('tables.wasm', async () => plugin.reload(await readFile('tables.wasm')));
   */
  async reload(source: PluginSource, changes: PluginOptions = {}): Promise<void> {
    // One after the other, so that the last one given is the one that stays.
    const reloaded = this.#reloading.then(() => this.#reload(source, changes));
    this.#reloading = reloaded.catch(() => {});
    return reloaded;
  }

  async #reload(source: PluginSource, changes: PluginOptions): Promise<void> {
    const { name, version } = this.#version.identity;
    const options = { ...this.#options, name, version, ...checkPluginOptions(changes) };
    const next = await open(source, options, this.#statistics, name);
    if (this.#disposing !== null) {
      await next.pool.dispose();
      throw failureOf(new FiberError('DISPOSED', `The plugin "${name}" was disposed of.`), next.identity, null);
    }
    const old = this.#version;
    this.#version = next;
    this.#retired.add(old);
    old.pool.retire();
    void old.pool.gone.then(() => this.#retired.delete(old));
  }

  /** What the plugin has done and used so far. */
  stats(): PluginStats {
    const { identity, pool, traffic } = this.#version;
    const { failing, restarts, ...counted } = this.#statistics;
    const pools = [pool, ...[...this.#retired].map((each) => each.pool)];
    for (const each of pools) each.look();
    return {
      ...identity,
      health: this.#disposing !== null ? 'disposed' : failing ? 'failing' : 'ready',
      ...counted,
      memory: this.#statistics.memory,
      pendingCalls: traffic.pending,
      instances: pools.reduce((sum, each) => sum + each.size, 0),
      restarts,
    };
  }

  /** Ends every call (`DISPOSED` or `CANCELLED`) and lets go of everything. */
  dispose(): Promise<void> {
    this.#unsubscribe?.();
    this.#disposing ??= Promise.all([this.#version, ...this.#retired].map(({ pool }) => pool.dispose())).then(() => {});
    return this.#disposing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** @param name that the manifest must have */
async function open(
  source: PluginSource,
  options: PluginOptions,
  statistics: Statistics,
  name: string | null = null,
): Promise<Version> {
  let identity: PluginIdentity = { name: options.name ?? 'plugin', version: options.version ?? '0.0.0' };
  try {
    const described = describe(source, options);
    ({ identity } = described);
    if (name !== null && identity.name !== name) {
      throw new FiberError(
        'INVALID_MANIFEST',
        `The manifest of the plugin "${identity.name}": name is not "${name}", which it is to replace. Load another plugin by Plugin.load.`,
      );
    }
    return await openVersion(source, described, options, statistics);
  } catch (error) {
    throw failureOf(error, identity, null);
  }
}

/** Null where the caller decides. */
function entryOf({ entryPoints, pool }: Version, name: string): EntryKind | null {
  const { subject, prepared } = pool.environment;
  const kind = entryPoints?.get(name);
  if (kind !== undefined) return kind;
  if (entryPoints !== null || RESERVED.includes(name) || !prepared.functions.includes(name)) {
    const all =
      entryPoints === null ? prepared.functions.filter((each) => !RESERVED.includes(each)) : [...entryPoints.keys()];
    throw new FiberError(
      'NO_SUCH_EXPORT',
      `${subject} has no entry point ${name}. It has: ${all.join(', ') || 'none'}.`,
    );
  }
  return null;
}

function isPoisoned(error: unknown): boolean {
  return error instanceof FiberError && error.code === 'GUEST_POISONED';
}

function least(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}
