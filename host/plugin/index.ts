/** What `import 'wasm-fibers/plugin'` gives. */
export { FiberError, type FiberErrorCode } from '../errors.ts';
export type { CallOptions } from './call.ts';
export type { GrantedCapabilities } from './capabilities.ts';
export type { PluginIdentity } from './failures.ts';
export type { Fetch } from './fetch.ts';
export { type HostFunction, type HostFunctions, bytesFunction, jsonFunction, textFunction } from './host-functions.ts';
export type { PluginLimits } from './limits.ts';
export {
  type EntryKind,
  type Manifest,
  type RequestedCapabilities,
  type ValueKind,
  parseManifest,
} from './manifest.ts';
export type { PluginCallOptions, PluginOptions } from './options.ts';
export { Plugin } from './plugin.ts';
export type { PluginInstrumentOptions } from './prepare.ts';
export type { ModuleSource } from './source.ts';
export type { PluginStats } from './statistics.ts';
export type { ModulePair, PluginSource } from './version.ts';
