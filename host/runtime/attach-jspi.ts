/**
 * After instantiation: what a guest offers for being switched by JSPI. An instrumented module says what it has. One that
 * was not may still export what LLVM's linker can be told to export: its stack pointer and `malloc`. Without these its
 * fibers cannot be isolated from each other, unless it has no memory in which they could share a stack.
 */
import type { GuestFunction } from '../backends/backend.ts';
import type { JspiControls } from '../backends/jspi.ts';
import { allocator, exportedAllocator, guestFunction, type GuestParts } from './guest-parts.ts';
import { type Metadata, SECTION } from './metadata.ts';
import { LlvmShadowStack, NO_SHADOW_STACK } from './shadow-stack.ts';
import { instrumentedShadowStack } from './shadow-stack-of.ts';

const POINTER = '__stack_pointer';
const MALLOC = 'malloc';

/** Why the fibers of a module cannot be isolated from each other; null if they can. */
export function whyOneAtATime(module: WebAssembly.Module, metadata: Metadata | null): string | null {
  if (metadata !== null) return null;
  const exports = WebAssembly.Module.exports(module);
  const has = (name: string, kind: string): boolean => exports.some((each) => each.name === name && each.kind === kind);
  const isMemory = ({ kind }: { readonly kind: string }): boolean => kind === 'memory';
  const memory = exports.some(isMemory) || WebAssembly.Module.imports(module).some(isMemory);
  if (!memory || (has(POINTER, 'global') && has(MALLOC, 'function'))) return null;
  return `The module was not instrumented and does not export ${POINTER} and ${MALLOC}, so its fibers share one stack in memory: one runs at a time. Instrument it with --target jspi, or link it with -Wl,--export=${POINTER},--export=${MALLOC}.`;
}

/** For an instrumented module. */
export function jspiControls(parts: GuestParts): JspiControls {
  return {
    shadow: instrumentedShadowStack(parts, 0, allocator(parts)),
    setPending: guestFunction(parts.exports, `${SECTION}.set_pending`) as (token: number) => void,
    isolated: true,
  };
}

/** For one that was not. */
export function plainControls({ exports, memory, options, callSync }: Omit<GuestParts, 'metadata'>): JspiControls {
  const { [POINTER]: pointer, [MALLOC]: malloc } = exports;
  if (!(pointer instanceof WebAssembly.Global) || typeof malloc !== 'function' || memory === null) {
    return { shadow: NO_SHADOW_STACK, setPending: null, isolated: memory === null };
  }
  const shadow = new LlvmShadowStack({
    access: { get: () => Number(pointer.value), set: (address) => (pointer.value = address | 0) },
    low: 0,
    reserved: 0,
    stackSize: options.stackSize,
    allocate: exportedAllocator(malloc as GuestFunction, memory, callSync),
  });
  return { shadow, setPending: null, isolated: true };
}
