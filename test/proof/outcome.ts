/** What became of a call, as text that can be compared: NaN, -0 and i64 keep their difference. */
import { FiberError } from '../../host/instrument/index.ts';

/** Of a call that went as deep as the engine lets it: how deep that is, differs. */
export const TOO_DEEP = 'too deep';

export function show(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  return Object.is(value, -0) ? '-0' : String(value);
}

export function returned(value: unknown): string {
  return `returns ${show(value)}`;
}

export function threw(error: unknown): string {
  if (error instanceof RangeError || (error instanceof FiberError && error.code === 'DEPTH_LIMIT')) return TOO_DEEP;
  // Binaryen takes all traps for equal, and of two that would follow each other may keep either.
  if (error instanceof WebAssembly.RuntimeError) return 'traps';
  if (error instanceof FiberError) return `throws ${error.code}: ${error.message}`;
  return `throws ${error instanceof Error ? error.message : isException(error) ? 'an exception' : String(error)}`;
}

/** Why a module was refused by name, without the names of its functions; null if that is not what happened. */
export function refusal(error: unknown): string | null {
  if (!(error instanceof FiberError) || error.code !== 'UNSUPPORTED_FEATURE') return null;
  const [reason = ''] = error.message
    .replace(/^The functions? .*?(?= (?:has|have|keeps?) )/, 'a function')
    .split(/[.,;]/);
  return `${error.code}: ${reason.replace(' have ', ' has ').replace(' keep ', ' keeps ')}`;
}

/** Newer than the declarations of the oldest Node. */
function isException(error: unknown): boolean {
  const { Exception } = WebAssembly as typeof WebAssembly & { readonly Exception?: new () => object };
  return Exception !== undefined && error instanceof Exception;
}
