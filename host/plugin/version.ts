/** One version of a plugin: from a source or a manifest to a pool with its first instance. */
import { FiberError } from '../errors.ts';
import { type GrantedCapabilities, grantTo } from './capabilities.ts';
import type { PluginIdentity } from './failures.ts';
import { limitReached, settleLimits } from './limits.ts';
import { type EntryKind, type Manifest, isManifest, parseManifest, sourceOf } from './manifest.ts';
import type { PluginOptions } from './options.ts';
import { Pool } from './pool.ts';
import { backendOf, prepare } from './prepare.ts';
import { type ModuleBytes, type ModuleSource, readModule } from './source.ts';
import type { Statistics } from './statistics.ts';
import { Traffic } from './traffic.ts';

/** A module for each backend, instrumented by the embedder; the one that is needed is read. */
export interface ModulePair {
  readonly asyncify: ModuleSource | PromiseLike<ModuleSource>;
  readonly jspi: ModuleSource | PromiseLike<ModuleSource>;
}

/** What `Plugin.load` takes. */
export type PluginSource = ModuleSource | ModulePair | Manifest | PromiseLike<ModuleSource>;

export interface Version {
  readonly identity: PluginIdentity;
  /** Null where everything may be called. */
  readonly entryPoints: ReadonlyMap<string, EntryKind> | null;
  readonly pool: Pool;
  readonly traffic: Traffic;
}

/** Whose name goes on an error: before a manifest is read, nobody's. */
export interface Described {
  readonly manifest: Manifest | null;
  readonly identity: PluginIdentity;
}

/** @throws FiberError `INVALID_MANIFEST` */
export function describe(source: PluginSource, options: PluginOptions): Described {
  const manifest = isManifest(source) ? parseManifest(source) : null;
  const { name, version } = manifest ?? { name: options.name ?? 'plugin', version: options.version ?? '0.0.0' };
  return { manifest, identity: Object.freeze({ name, version }) };
}

/** @param options checked */
export async function openVersion(
  source: PluginSource,
  { manifest, identity }: Described,
  options: PluginOptions,
  statistics: Statistics,
): Promise<Version> {
  const subject = `The plugin "${identity.name}" ${identity.version}`;
  const { backend = 'auto', capabilities = {}, hostFunctions = {}, signal } = options;
  const limits = settleLimits(options.limits ?? {}, manifest?.limits ?? {});
  const asked = manifest === null ? null : (manifest.capabilities ?? {});
  // Before anything is read: what is refused need not be fetched.
  const grant = grantTo(asked, capabilities satisfies GrantedCapabilities, hostFunctions, subject);
  const traffic = new Traffic(limits, statistics);
  const deadline = new Deadline(
    limits.loadMs,
    () => limitReached('loadMs', `${subject} was not loaded within ${limits.loadMs} ms, the limit loadMs.`),
    signal,
  );
  let pool: Pool | null = null;
  try {
    const loading = async (): Promise<Pool> => {
      const bytes = await readModule(moduleOf(source, manifest, options), limits.moduleBytes, deadline.signal);
      verify(bytes, manifest, subject);
      const prepared = await prepare(bytes, {
        backend,
        limits,
        asked: Object.keys({ ...manifest?.limits, ...options.limits }),
        trusted: options.trusted ?? [],
        instrument: options.instrument ?? {},
        sourceMap: options.sourceMap ?? null,
      });
      deadline.signal.throwIfAborted();
      pool = new Pool(
        {
          subject,
          prepared,
          grant,
          limits,
          traffic,
          statistics,
          backend,
          onTrap: options.onTrap ?? 'continue',
          onEvent: options.onEvent ?? null,
        },
        options.instances ?? null,
      );
      await pool.open();
      return pool;
    };
    const opened = await deadline.race(loading());
    const entryPoints = manifest?.entryPoints === undefined ? null : new Map(Object.entries(manifest.entryPoints));
    const { functions } = opened.environment.prepared;
    for (const name of entryPoints?.keys() ?? []) {
      if (functions.includes(name)) continue;
      throw new FiberError(
        'NO_SUCH_EXPORT',
        `${subject} has no function ${name}, which its manifest names as an entry point. It has: ${functions.join(', ') || 'none'}.`,
      );
    }
    return { identity, entryPoints, pool: opened, traffic };
  } catch (error) {
    // Assigned in a function that the compiler does not follow.
    void (pool as Pool | null)?.dispose();
    throw error;
  } finally {
    deadline.close();
  }
}

function moduleOf(
  source: PluginSource,
  manifest: Manifest | null,
  { base, backend = 'auto' }: PluginOptions,
): ModuleSource | PromiseLike<ModuleSource> {
  if (manifest !== null) return sourceOf(manifest, base === undefined ? null : new URL(base));
  if (typeof source === 'object' && source !== null && 'asyncify' in source && 'jspi' in source) {
    return source[backendOf(backend)];
  }
  return source as ModuleSource | PromiseLike<ModuleSource>;
}

function verify({ from, sha256 }: ModuleBytes, manifest: Manifest | null, subject: string): void {
  if (manifest?.sha256 === undefined || manifest.sha256 === sha256) return;
  throw new FiberError(
    'UNTRUSTED_MODULE',
    `${subject}: the SHA-256 of ${from} is ${sha256}, and its manifest says ${manifest.sha256}. It is another module than the manifest is about, or one of the two was changed.`,
  );
}

/** The time that loading may take, and the signal of whoever waits for it. */
class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #outer: AbortSignal | undefined;
  readonly #stop = (): void => this.#controller.abort(this.#outer?.reason);

  constructor(milliseconds: number, error: () => FiberError, outer: AbortSignal | undefined) {
    this.#outer = outer;
    this.#timer = setTimeout(() => this.#controller.abort(error()), milliseconds);
    if (outer?.aborted === true) this.#stop();
    else outer?.addEventListener('abort', this.#stop);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Does not wait for what cannot be stopped. */
  race<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#controller;
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error);
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort, { once: true });
      void work.then(resolve, reject);
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#stop);
  }
}
