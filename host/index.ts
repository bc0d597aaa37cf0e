/** What `import 'wasm-fibers'` gives. */
export { FiberError, type FiberErrorCode } from './errors.ts';
export { reentrant, type Call, type NestedCall } from './backends/trampolines.ts';
export type {
  BackendKind,
  Fiber,
  FiberEvent,
  FiberExports,
  FiberInfo,
  FiberState,
  Guest,
  GuestOptions,
  Imports,
  ImportValue,
  Source,
  SourcePair,
  SpawnOptions,
  SyncExports,
  UntypedExports,
} from './runtime/api.ts';
export { canSuspend, currentFiber } from './runtime/current.ts';
export { instantiate } from './runtime/instantiate.ts';
export { suspending } from './runtime/suspending.ts';
