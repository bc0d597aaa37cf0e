/** What connects a guest to its backend. */
import type { Backend, BackendHooks } from '../backends/backend.ts';
import type { GuestParts } from './guest-parts.ts';
import { badMetadata } from './metadata.ts';

/** The backend of one guest. */
export interface Connection {
  readonly backend: Backend;
  /**
   * The instance exists: gives the backend what the module exports for switching.
   *
   * @returns why the guest must be exclusive, whatever the options say; null if it need not
   * @throws FiberError `BAD_METADATA` if that is not what the module's section says
   */
  attach(parts: Omit<GuestParts, 'metadata'>): string | null;
}

export type Connector = (hooks: BackendHooks) => Connection;

/** Says what it means if the engine refuses to convert a value: an export has other parameters or results. */
export function typed<T>(controls: () => T): T {
  try {
    return controls();
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw badMetadata(`the exports that it promises are of other types (${cause.message})`, cause);
  }
}
