/** Which shadow stack a guest has, from what its module says. */
import { NO_SHADOW_STACK, type ShadowStack } from '../backends/backend.ts';
import { withGlobals } from './fiber-globals.ts';
import { type Allocate, guestFunction, guestGlobal, type GuestParts } from './guest-parts.ts';
import { SECTION } from './metadata.ts';
import { assemblyScriptShadowStack, llvmShadowStack, type StackAccess } from './shadow-stack.ts';

/** @param reserved bytes at the top of an LLVM guest's own stack that are taken */
export function instrumentedShadowStack(
  { metadata, exports, options, own }: GuestParts,
  reserved: number,
  allocate: Allocate | null,
): ShadowStack {
  let shadow: ShadowStack = NO_SHADOW_STACK;
  if (metadata.stack?.kind === 'llvm') {
    const { low } = metadata.stack;
    shadow = llvmShadowStack({
      access: stackAccess(exports),
      low,
      reserved,
      stackSize: options.stackSize,
      allocate,
    });
  } else if (metadata.stack?.kind === 'assemblyscript') {
    const keeper = {
      save: guestFunction(exports, '__fibers_save') as (low: number, high: number) => number,
      restore: guestFunction(exports, '__fibers_restore') as (handle: number, low: number, high: number) => void,
    };
    // How often they are called depends on who else runs.
    const unpaid = {
      save: (low: number, high: number) => own(() => keeper.save(low, high)),
      restore: (handle: number, low: number, high: number) => own(() => keeper.restore(handle, low, high)),
    };
    shadow = assemblyScriptShadowStack(stackAccess(exports), metadata.metered ? unpaid : keeper);
  }
  if (metadata.globals.length === 0) return shadow;
  return withGlobals(
    shadow,
    metadata.globals.map((name) => guestGlobal(exports, name)),
  );
}

export function stackAccess(exports: WebAssembly.Exports): StackAccess {
  return {
    get: guestFunction(exports, `${SECTION}.get_stack`) as () => number,
    set: guestFunction(exports, `${SECTION}.set_stack`) as (pointer: number, low: number, high: number) => void,
  };
}
