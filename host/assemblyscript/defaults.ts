/**
 * What AssemblyScript's own library imports, for embedders that do not give it: `abort`, `trace`, `seed`, the console, the
 * clocks and the platform's mathematics, all in the module `env`.
 */
import { aborted } from './abort.ts';
import type { GuestMemory } from './memory.ts';
import { PLATFORM } from './provided.ts';
import { readString } from './text.ts';

/**
 * What asc checks its stack of references with calls `abort` too, but with addresses at which it has not put its strings,
 * and with the first character of nothing as the place.
 */
const STACK_FULL =
  'the stack of references is full: recurse less deeply, or compile with a larger --stackSize (bytes; 32768 by default)';
/** `idof<string>()`, in every program. */
const STRING = 2;

/** Units of a message that are kept: a guest can make one of all its memory, which errors, logs and reports then carry around. */
const LONGEST_REASON = 4096;

function isString(memory: GuestMemory, address: number): boolean {
  return address >= 8 && address % 4 === 0 && memory.holds(address, 0) && memory.u32[(address - 8) >>> 2] === STRING;
}

/** @returns undefined if the embedder has to give it */
export function defaultImport(memory: GuestMemory, module: string, name: string): unknown {
  if (module !== 'env') return undefined;
  // The section describes all of these imports but `abort`, unless the module is of another version.
  const text = (value: unknown, most?: number): string => {
    if (typeof value !== 'number') return typeof value === 'string' ? value : '';
    memory.refresh();
    return isString(memory, value >>> 0) ? readString(memory, value >>> 0, most) : '';
  };
  switch (name) {
    case 'abort':
      return (message: unknown, fileName: unknown, line: number, column: number): never => {
        memory.refresh();
        if (line === 1 && column === 1 && typeof message === 'number' && !isString(memory, message >>> 0)) {
          throw aborted(STACK_FULL, '', 0, 0);
        }
        const reason = text(message, LONGEST_REASON) || 'abort';
        throw aborted(reason, text(fileName, LONGEST_REASON), line >>> 0, column >>> 0);
      };
    case 'trace':
      return (message: unknown, count: number, ...values: number[]) => trace(text(message), count, values);
    case 'seed':
      return () => Date.now() * Math.random();
    default:
      return platformMember(name);
  }
}

/** What prints, for guests whose strings arrive as strings; null for another name. */
export function consoleImport(name: string): ((...args: never[]) => unknown) | null {
  if (name === 'trace') return (message: string, count: number, ...values: number[]) => trace(message, count, values);
  const member = name.startsWith('console.') ? platformMember(name) : undefined;
  return typeof member === 'function' ? (member as (...args: never[]) => unknown) : null;
}

function trace(message: string, count: number, values: readonly number[]): void {
  globalThis.console.log(['trace:', message, values.slice(0, count).join(', ')].join(' ').trimEnd());
}

function platformMember(path: string): unknown {
  const [object, member, ...more] = path.split('.');
  const known = PLATFORM.find((each) => each === object);
  if (known === undefined || member === undefined || more.length > 0) return undefined;
  // Each of them has members of many types, which the guest's own declaration must fit.
  const from = globalThis[known] as unknown as Record<string, unknown> | undefined;
  if (from === undefined || !(member in from) || member in Object.prototype) return undefined;
  if (typeof from[member] !== 'function') return from[member];
  // Looked up at each call: whoever replaces a member of the console means all that is printed.
  return (...args: unknown[]) => Reflect.apply(from[member] as (...args: unknown[]) => unknown, from, args);
}
