/** What `Plugin.load` and `plugin.call` can be given, checked: a misspelt limit would be no limit. */
import * as v from 'valibot';
import type { BackendKind, FiberEvent } from '../index.ts';
import type { CallOptions } from './call.ts';
import { GRANTED, type GrantedCapabilities } from './capabilities.ts';
import { check, fields } from './check.ts';
import type { HostFunctions } from './host-functions.ts';
import { LIMITS, type PluginLimits } from './limits.ts';
import { ENTRY_KIND, type EntryKind, SHA256 } from './manifest.ts';
import type { PluginInstrumentOptions } from './prepare.ts';

/** Options of `Plugin.load`. */
export interface PluginOptions {
  /** What the plugin imports from the host, by module and name. Default none. */
  readonly hostFunctions?: HostFunctions | undefined;
  /** What the plugin may have of the host besides. Default nothing. */
  readonly capabilities?: GrantedCapabilities | undefined;
  /** The most that it may use. */
  readonly limits?: PluginLimits | undefined;
  /** How stacks are switched. `auto` (default): JSPI where the engine has it, for which Binaryen is not needed; else Asyncify. */
  readonly backend?: 'auto' | BackendKind | undefined;
  /** How the module is instrumented, where its allocator or its stack pointer has to be named. */
  readonly instrument?: PluginInstrumentOptions | undefined;
  /** Modules that are instrumented already and are loaded all the same: their SHA-256, hexadecimal. Default none. */
  readonly trusted?: readonly string[] | undefined;
  /** For a plugin that is not re-entrant: so many instances at most, each with one call at a time. Default one for all calls. */
  readonly instances?: number | undefined;
  /** After a trap, may other calls of the instance go on (`continue`, default), or does the next one get a fresh instance? */
  readonly onTrap?: 'continue' | 'poison' | undefined;
  /** The source map of the module as it is given, JSON text: stacks of errors then name places in its source. */
  readonly sourceMap?: string | undefined;
  /** The address of the manifest, to which its `source` is relative. */
  readonly base?: URL | string | undefined;
  /** For a module without a manifest: what it is called in errors. Default `plugin` 0.0.0. */
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  /** Told of everything that happens to the plugin's fibers. */
  readonly onEvent?: ((event: FiberEvent) => void) | undefined;
  /** Gives up loading when aborted, and disposes of the plugin afterwards. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `plugin.call`. */
export interface PluginCallOptions extends CallOptions {
  /**
   * How input and output pass. Default what the manifest says; else `values` for typed AssemblyScript, `bytes` for a
   * `Uint8Array`, `text` for a string, `json` for anything else.
   */
  readonly as?: EntryKind | undefined;
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
const object = v.custom<object>(isObject, 'must be an object');
const callable = v.custom<(event: FiberEvent) => void>((value) => typeof value === 'function', 'must be a function');
const signal = v.custom<AbortSignal>((value) => value instanceof AbortSignal, 'must be an AbortSignal');
const whole = (unit: string): v.GenericSchema<number> =>
  v.custom<number>(
    (value) => Number.isSafeInteger(value) && Number(value) >= 1,
    `must be a whole number of ${unit}, at least 1`,
  );

const OPTIONS = fields({
  hostFunctions: v.optional(object as v.GenericSchema<HostFunctions>),
  capabilities: v.optional(GRANTED),
  limits: v.optional(LIMITS),
  backend: v.optional(v.picklist(['auto', 'asyncify', 'jspi'], 'must be one of auto, asyncify, jspi')),
  instrument: v.optional(object as v.GenericSchema<PluginInstrumentOptions>),
  trusted: v.optional(v.array(SHA256)),
  instances: v.optional(whole('instances')),
  onTrap: v.optional(v.picklist(['continue', 'poison'], 'must be one of continue, poison')),
  sourceMap: v.optional(v.string()),
  base: v.optional(
    v.custom<URL | string>(
      (value) => value instanceof URL || (typeof value === 'string' && URL.canParse(value)),
      'must be a URL',
    ),
  ),
  name: v.optional(v.string()),
  version: v.optional(v.string()),
  onEvent: v.optional(callable),
  signal: v.optional(signal),
});

const CALL = fields({
  as: v.optional(ENTRY_KIND),
  timeout: v.optional(
    v.custom<number>(
      (value) => typeof value === 'number' && value > 0 && value <= 2 ** 31 - 1,
      `must be a number of milliseconds from above 0 to ${2 ** 31 - 1}`,
    ),
  ),
  signal: v.optional(signal),
  fuel: v.optional(whole('units')),
});

/** @throws FiberError `INVALID_OPTION` */
export function checkPluginOptions(options: PluginOptions): PluginOptions {
  return check(OPTIONS, options, 'The options of Plugin.load', 'INVALID_OPTION');
}

/** @throws FiberError `INVALID_OPTION` */
export function checkCallOptions(options: PluginCallOptions): PluginCallOptions {
  return check(CALL, options, 'The options of plugin.call', 'INVALID_OPTION');
}
