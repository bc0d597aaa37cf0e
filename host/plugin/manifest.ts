/**
 * What a plugin says of itself and asks for. A manifest is a stranger's text: it is checked field by field, and decides nothing
 * but what is asked for; what is given is the embedder's to say (capabilities.ts).
 */
import * as v from 'valibot';
import { FiberError } from '../errors.ts';
import { check, fields } from './check.ts';
import { HOST_PATTERN } from './hosts.ts';
import { LIMITS, type PluginLimits } from './limits.ts';

/** How values pass in and out of an entry point; docs/plugins.md describes each. */
export type ValueKind = 'bytes' | 'text' | 'json' | 'numbers' | 'values';

/** The kind of an entry point, or one for each direction. */
export type EntryKind = ValueKind | { readonly input: ValueKind; readonly output: ValueKind };

/** What a plugin asks for. */
export interface RequestedCapabilities {
  /** Host functions, `module.name`. */
  readonly hostFunctions?: readonly string[] | undefined;
  /** Hosts to fetch from: `api.example.org`, `*.example.org`, with a scheme or a port if not `https` and its own. */
  readonly fetch?: readonly string[] | undefined;
  /** Directories and files, as the plugin sees them: absolute paths. */
  readonly files?: readonly string[] | undefined;
  /** Names of environment variables. */
  readonly environment?: readonly string[] | undefined;
  /** The time, and sleeping. */
  readonly clock?: boolean | undefined;
  readonly random?: boolean | undefined;
  /** Standard output and error. */
  readonly output?: boolean | undefined;
}

export interface Manifest {
  readonly name: string;
  /** As of semantic versioning: `1.2.0`. */
  readonly version: string;
  /** The module: an address relative to the option `base`; in JavaScript also a URL or bytes. */
  readonly source: string | URL | BufferSource;
  /** SHA-256 of the module, hexadecimal. */
  readonly sha256?: string | undefined;
  /** The exports that may be called, and what each takes and returns. Default: all that can be. */
  readonly entryPoints?: Readonly<Record<string, EntryKind>> | undefined;
  readonly capabilities?: RequestedCapabilities | undefined;
  readonly limits?: PluginLimits | undefined;
}

export const SHA256: v.GenericSchema<string> = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{64}$/i, 'must be a SHA-256 in hexadecimal, 64 digits'),
  v.toLowerCase(),
);

const KINDS: v.GenericSchema<ValueKind> = v.picklist(
  ['bytes', 'text', 'json', 'numbers', 'values'],
  'must be one of bytes, text, json, numbers, values',
);

export const ENTRY_KIND: v.GenericSchema<EntryKind> = v.union(
  [KINDS, fields({ input: KINDS, output: KINDS })],
  'must be one of bytes, text, json, numbers, values, or an object with such an input and output',
);

const names = (what: string, pattern: RegExp): v.GenericSchema<readonly string[] | undefined> =>
  v.optional(v.array(v.pipe(v.string(), v.regex(pattern, `must be ${what}`))));

const CAPABILITIES: v.GenericSchema<RequestedCapabilities> = fields({
  hostFunctions: names('a host function, module.name', /^[^]+\.[^]+$/),
  fetch: v.optional(v.array(HOST_PATTERN)),
  files: names('an absolute path', /^\/[^\0]*$/),
  environment: names('the name of an environment variable', /^[^=\0]+$/),
  clock: v.optional(v.boolean()),
  random: v.optional(v.boolean()),
  output: v.optional(v.boolean()),
});

const isBytes = (value: unknown): value is BufferSource => value instanceof ArrayBuffer || ArrayBuffer.isView(value);

const MANIFEST: v.GenericSchema<Manifest> = fields({
  name: v.pipe(v.string(), v.regex(/^[\w@./-]{1,100}$/, 'must be 1 to 100 letters, digits or any of _ - . / @')),
  version: v.pipe(
    v.string(),
    v.regex(/^\d+\.\d+\.\d+(?:[-+][\w.+-]+)?$/, 'must be a version such as 1.2.0'),
    v.maxLength(100, 'must be at most 100 characters'),
  ),
  source: v.custom<string | URL | BufferSource>(
    (value) => (typeof value === 'string' && value !== '') || value instanceof URL || isBytes(value),
    'must be an address, a URL or the bytes of the module',
  ),
  sha256: v.optional(SHA256),
  entryPoints: v.optional(v.record(v.string(), ENTRY_KIND)),
  capabilities: v.optional(CAPABILITIES),
  limits: v.optional(LIMITS),
});

/** Is it meant as a manifest? Anything else is taken for the module itself. */
export function isManifest(given: unknown): boolean {
  if (typeof given !== 'object' || given === null) return false;
  return !isPlatform(given) && ('name' in given || 'version' in given || 'source' in given);
}

function isPlatform(given: object): boolean {
  return (
    given instanceof URL ||
    isBytes(given) ||
    given instanceof WebAssembly.Module ||
    (typeof Response === 'function' && given instanceof Response)
  );
}

/**
 * Checks a manifest, as it was written in JavaScript or read from JSON.
 *
 * @throws FiberError `INVALID_MANIFEST` that names the field, says what it must be and what it is
 * @example
 * const manifest = parseManifest(JSON.parse(await readFile('plugin.json', 'utf8')));
 */
export function parseManifest(given: unknown): Manifest {
  const name: unknown = typeof given === 'object' && given !== null && 'name' in given ? given.name : null;
  const subject = typeof name === 'string' ? `The manifest of the plugin "${name.slice(0, 100)}"` : 'The manifest';
  return check(MANIFEST, given, subject, 'INVALID_MANIFEST');
}

/**
 * Where the module is. What a manifest writes as text is a stranger's, so it leads nowhere but to files beside the manifest.
 *
 * @param base the address of the manifest
 * @throws FiberError `INVALID_MANIFEST`
 */
export function sourceOf({ name, source }: Manifest, base: URL | null): URL | BufferSource {
  if (typeof source !== 'string') return source;
  const subject = `The manifest of the plugin "${name}": source`;
  if (base === null) {
    throw new FiberError(
      'INVALID_MANIFEST',
      `${subject} is an address (${source}), and nothing says relative to what. Give Plugin.load the option base, or the module itself as source.`,
    );
  }
  const folder = new URL('.', base);
  const found = URL.canParse(source, base) ? new URL(source, base) : null;
  // An encoded slash or dot is a way out for servers that decode it.
  if (found === null || !found.href.startsWith(folder.href) || /%2e|%2f|%5c/i.test(found.pathname)) {
    throw new FiberError(
      'INVALID_MANIFEST',
      `${subject} leads out of the folder of the manifest (${source}). Put the module there, or give Plugin.load the module itself as source.`,
    );
  }
  return found;
}
