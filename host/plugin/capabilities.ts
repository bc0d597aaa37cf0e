/**
 * What a plugin gets of the host: what was granted by the embedder and asked for by the manifest, and nothing else. A plugin
 * without a manifest asks for all that was granted. What is asked for and not granted is an error, before anything is loaded:
 * half of what it needs is nothing that a plugin is written for.
 */
import * as v from 'valibot';
import { FiberError } from '../errors.ts';
import type { Clock, Files, OutputTarget, WasiOptions } from '../wasi/index.ts';
import { fields } from './check.ts';
import type { Fetch } from './fetch.ts';
import type { HostFunction, HostFunctions } from './host-functions.ts';
import { HOST_PATTERN, type HostPattern, covers, parseHostPattern } from './hosts.ts';
import type { RequestedCapabilities } from './manifest.ts';

/** What an embedder may grant besides host functions. Nothing is granted by default. */
export interface GrantedCapabilities {
  /**
   * Hosts that `plugin.fetch` may reach, as in a manifest: `api.example.org`, `*.example.org`, `http://localhost:8080`, `*` for
   * every public name. With a `fetch` of your own: for a proxy, or one that refuses private addresses after resolving names.
   */
  readonly fetch?:
    | readonly string[]
    | { readonly hosts: readonly string[]; readonly fetch?: Fetch | undefined }
    | undefined;
  /** Files for plugins that use WASI: see `WasiOptions`. */
  readonly files?: Files | undefined;
  /** Environment variables for plugins that use WASI. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** The time, and sleeping: the platform's, or a clock of your own. */
  readonly clock?: boolean | Clock | undefined;
  /** Random numbers: the platform's, or what fills bytes. */
  readonly random?: boolean | ((bytes: Uint8Array<ArrayBuffer>) => void) | undefined;
  /** Where standard output and error of plugins that use WASI go; `true` is the console. */
  readonly output?:
    | boolean
    | { readonly stdout?: OutputTarget | undefined; readonly stderr?: OutputTarget | undefined }
    | undefined;
}

const anything = v.optional(v.unknown());
const fn = v.custom<Fetch>((value) => typeof value === 'function', 'must be a function');
const hosts = v.array(HOST_PATTERN);

export const GRANTED: v.GenericSchema<GrantedCapabilities> = fields({
  fetch: v.optional(
    v.union(
      [hosts, fields({ hosts, fetch: v.optional(fn) })],
      'must be a list of hosts, or an object with hosts and fetch',
    ),
  ),
  // WASI checks these.
  files: anything,
  environment: anything,
  clock: anything,
  random: anything,
  output: anything,
}) as v.GenericSchema<GrantedCapabilities>;

/** What a plugin has. */
export interface Grant {
  /** The function for an import; null if the plugin has none of that name. */
  hostFunction(module: string, name: string): HostFunction | null;
  /** Why an import is not there, if somebody has said so. */
  readonly withheld: ReadonlySet<string>;
  readonly fetch: { readonly patterns: readonly HostPattern[]; readonly send: Fetch } | null;
  readonly wasi: WasiOptions;
  readonly clock: boolean | Clock;
  readonly random: boolean | ((bytes: Uint8Array<ArrayBuffer>) => void);
  readonly output: boolean;
}

/**
 * @param asked null for a plugin without a manifest
 * @param subject the plugin, for messages
 * @throws FiberError `CAPABILITY_DENIED` that names what was asked for and not granted
 */
export function grantTo(
  asked: RequestedCapabilities | null,
  granted: GrantedCapabilities,
  hostFunctions: HostFunctions,
  subject: string,
): Grant {
  const missing: string[] = [];
  const switched = <K extends 'clock' | 'random' | 'output'>(name: K): NonNullable<GrantedCapabilities[K]> | false => {
    const has = granted[name] ?? false;
    if (asked !== null && asked[name] === true && has === false) missing.push(name);
    return asked === null || asked[name] === true ? has : false;
  };
  const functions = askedFunctions(asked, hostFunctions, missing);
  const clock = switched('clock');
  const random = switched('random');
  const output = switched('output');
  const grant: Grant = {
    ...functions,
    fetch: askedFetch(asked, granted.fetch, missing),
    wasi: {
      env: askedEnvironment(asked, granted.environment, missing),
      ...askedFiles(asked, granted.files, missing),
      ...(typeof clock === 'object' && { clock }),
      ...(typeof random === 'function' && { random }),
      ...outputs(output),
    },
    clock,
    random,
    output: output !== false,
  };
  if (missing.length > 0) {
    throw new FiberError(
      'CAPABILITY_DENIED',
      `${subject} asks for what it was not granted: ${missing.join(', ')}. Grant it (options hostFunctions and capabilities), or do not load the plugin.`,
    );
  }
  return grant;
}

/** A plugin's own property and no inherited one: `toString` and `__proto__` are names that imports have, too. */
function own<T>(from: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return from !== undefined && from !== null && Object.hasOwn(from, name) ? from[name] : undefined;
}

function askedFunctions(
  asked: RequestedCapabilities | null,
  given: HostFunctions,
  missing: string[],
): Pick<Grant, 'hostFunction' | 'withheld'> {
  const all = new Set<string>();
  for (const module of Object.keys(given)) {
    for (const name of Object.keys(own(given, module) ?? {})) {
      if (typeof own(own(given, module), name) !== 'function') {
        throw new FiberError('INVALID_OPTION', `The host function ${module}.${name} must be a function.`);
      }
      all.add(`${module}.${name}`);
    }
  }
  const wanted = asked === null ? null : new Set(asked.hostFunctions ?? []);
  for (const path of wanted ?? []) if (!all.has(path)) missing.push(`the host function ${path}`);
  return {
    hostFunction(module, name) {
      if (wanted !== null && !wanted.has(`${module}.${name}`)) return null;
      return own(own(given, module), name) ?? null;
    },
    withheld: wanted === null ? new Set() : new Set([...all].filter((path) => !wanted.has(path))),
  };
}

function askedFetch(
  asked: RequestedCapabilities | null,
  given: GrantedCapabilities['fetch'],
  missing: string[],
): Grant['fetch'] {
  const { hosts: listed, fetch: own }: { hosts: readonly string[]; fetch?: Fetch | undefined } =
    given === undefined ? { hosts: [] } : 'hosts' in given ? given : { hosts: given };
  const granted = patternsOf(listed);
  const requested = asked === null ? granted : patternsOf(asked.fetch ?? []);
  for (const pattern of requested) {
    if (!granted.some((each) => covers(each, pattern))) missing.push(`to fetch from ${pattern.text}`);
  }
  if (requested.length === 0) return null;
  return { patterns: requested, send: own ?? ((url, init) => globalThis.fetch(url, init)) };
}

function patternsOf(texts: readonly string[]): HostPattern[] {
  return texts.map(parseHostPattern).filter((each) => each !== null);
}

function askedEnvironment(
  asked: RequestedCapabilities | null,
  given: GrantedCapabilities['environment'],
  missing: string[],
): Record<string, string> {
  const found: Record<string, string> = Object.create(null);
  for (const name of asked === null ? Object.keys(given ?? {}) : (asked.environment ?? [])) {
    const value = own(given, name);
    if (value === undefined) missing.push(`the environment variable ${name}`);
    else found[name] = value;
  }
  return found;
}

function askedFiles(
  asked: RequestedCapabilities | null,
  given: GrantedCapabilities['files'],
  missing: string[],
): Pick<WasiOptions, 'files'> {
  if (asked === null) return given === undefined ? {} : { files: given };
  const wanted = asked.files ?? [];
  if (wanted.length === 0) return {};
  const isSystem = given !== undefined && 'root' in given && typeof given.root === 'function';
  const byPath = new Map(
    given === undefined
      ? []
      : isSystem
        ? [['/', given] as const]
        : Object.entries(given).map(([path, each]) => [normal(path), each] as const),
  );
  const found = new Map<string, unknown>();
  for (const path of wanted) {
    const content: unknown = byPath.get(normal(path));
    if (content === undefined) missing.push(`the files at ${path}`);
    else found.set(normal(path), content);
  }
  // What is below each path was checked where it was given.
  return { files: Object.fromEntries(found) as Files };
}

/** With one slash in front and none behind. */
function normal(path: string): string {
  return `/${path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .join('/')}`;
}

function outputs(output: boolean | NonNullable<GrantedCapabilities['output']>): Pick<WasiOptions, 'stdout' | 'stderr'> {
  // WASI's own default is the console.
  if (output === true) return {};
  const { stdout = ignored, stderr = ignored } = output === false ? {} : output;
  return { stdout, stderr };
}

function ignored(): void {}
