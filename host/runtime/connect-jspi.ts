/**
 * JSPI: what a guest offers for being switched is found after instantiation. An instrumented module says what it has. One that
 * was not may still export what LLVM's linker can be told to export: its stack pointer and `malloc`. Without these its
 * fibers cannot be isolated from each other, unless it has no memory in which they could share a stack.
 */
import { type GuestFunction, NO_SHADOW_STACK, type ShadowStack } from '../backends/backend.ts';
import type { StackSwitching } from '../backends/engine.ts';
import { JspiBackend } from '../backends/jspi.ts';
import type { JspiControls } from '../backends/jspi-stacks.ts';
import { type Connector, typed } from './connect.ts';
import { allocator, exportedAllocator, guestFunction, type GuestParts } from './guest-parts.ts';
import { type Metadata, SECTION } from './metadata.ts';
import { llvmShadowStack } from './shadow-stack.ts';
import { instrumentedShadowStack } from './shadow-stack-of.ts';

const POINTER = '__stack_pointer';
const MALLOC = 'malloc';

export function jspiConnector(metadata: Metadata | null, engine: StackSwitching): Connector {
  return (hooks) => {
    const backend = new JspiBackend(hooks, engine, metadata !== null);
    return {
      backend,
      attach(parts) {
        if (metadata !== null) {
          backend.attach(typed(() => instrumentedControls({ ...parts, metadata })));
          return null;
        }
        const { shadow, isolated } = plainControls(parts);
        backend.attach({ shadow, setPending: null });
        return isolated
          ? null
          : `The module was not instrumented and does not export ${POINTER} and ${MALLOC}, so its fibers share one stack in memory: one runs at a time${shadow === NO_SHADOW_STACK ? ', and what a fiber that fails had on it is never given back' : ''}. Instrument it with --target jspi, or link it with -Wl,--export=${POINTER},--export=${MALLOC} (clang: and -mmutable-globals).`;
      },
    };
  };
}

/** For an instrumented module. */
function instrumentedControls(parts: GuestParts): JspiControls {
  return {
    shadow: instrumentedShadowStack(parts, 0, allocator(parts)),
    setPending: guestFunction(parts.exports, `${SECTION}.set_pending`) as (token: number) => void,
  };
}

/** For one that was not; null if its fibers cannot be isolated. */
function plainControls({ exports, memory, options, callSync }: Omit<GuestParts, 'metadata'>): Plain {
  const { [POINTER]: pointer, [MALLOC]: malloc } = exports;
  if (memory === null) return { shadow: NO_SHADOW_STACK, isolated: true };
  if (!(pointer instanceof WebAssembly.Global)) return { shadow: NO_SHADOW_STACK, isolated: false };
  const isolated = typeof malloc === 'function';
  const shadow = llvmShadowStack({
    access: { get: () => Number(pointer.value), set: (address) => (pointer.value = address | 0) },
    low: 0,
    reserved: 0,
    stackSize: options.stackSize,
    allocate: isolated ? exportedAllocator(malloc as GuestFunction, memory, callSync) : null,
  });
  return { shadow, isolated };
}

interface Plain {
  readonly shadow: ShadowStack;
  /** May its fibers run at once? */
  readonly isolated: boolean;
}
