/** Makes the backend of a guest, and gives it, once the instance exists, what the module exports for switching. */
import { AsyncifyBackend } from '../backends/asyncify.ts';
import type { Backend, BackendHooks } from '../backends/backend.ts';
import type { StackSwitching } from '../backends/engine.ts';
import { JspiBackend } from '../backends/jspi.ts';
import { FiberError } from '../errors.ts';
import { asyncifyControls } from './attach-asyncify.ts';
import { jspiControls, plainControls } from './attach-jspi.ts';
import type { GuestParts } from './guest-parts.ts';
import type { Metadata } from './metadata.ts';

export interface Connection {
  readonly backend: Backend;
  /** @throws FiberError `BAD_METADATA` if what the module exports for switching is not what its section says */
  attach(parts: Omit<GuestParts, 'metadata'>): void;
}

/** @param engine the engine's stack switching; null for Asyncify */
export function connect(hooks: BackendHooks, metadata: Metadata | null, engine: StackSwitching | null): Connection {
  if (engine !== null) {
    const backend = new JspiBackend(hooks, engine, metadata !== null);
    return {
      backend,
      attach(parts) {
        backend.attach(metadata === null ? plainControls(parts) : checked(() => jspiControls({ ...parts, metadata })));
      },
    };
  }
  const backend = new AsyncifyBackend(hooks);
  return {
    backend,
    attach(parts) {
      const { memory } = parts;
      // Without a memory there is no window: what was instrumented always has one.
      if (metadata === null || memory === null) return;
      backend.attach(checked(() => asyncifyControls({ ...parts, memory, metadata })));
    },
  };
}

function checked<T>(controls: () => T): T {
  try {
    return controls();
  } catch (cause) {
    // The engine refuses to convert a value: the export has other parameters or results.
    if (!(cause instanceof TypeError)) throw cause;
    throw new FiberError(
      'BAD_METADATA',
      `The module's exports for switching between fibers are not of the types that its custom section promises: ${cause.message}. Instrument the original module again.`,
      { cause },
    );
  }
}
