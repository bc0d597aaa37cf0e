/**
 * How the values of a call pass, by the kind of the entry point. Text, bytes and JSON pass through the guest's memory:
 *
 *     (func (export "NAME") (param $ptr i32) (param $len i32) (result i64))     result: ptr << 32 | len
 *     (func (export "alloc") (param $len i32) (result i32))                     or malloc
 *     (func (export "free") (param $ptr i32))                                   or dealloc; may take $len as well; may be absent
 *     (memory (export "memory") ...)
 *
 * The host makes room for the input and gives it back afterwards, and the result as well, once it is copied.
 */
import { FiberError } from '../errors.ts';
import type { Fiber, Guest } from '../index.ts';
import type { Call } from './call.ts';
import { show } from './check.ts';
import { decodeJson, encodeJson } from './json.ts';
import { type SettledLimits, limitReached } from './limits.ts';
import type { EntryKind, ValueKind } from './manifest.ts';
import { corrupt, decodeText, encodeText, readBytes, writeBytes } from './memory.ts';

/** The guest's own functions for its memory. */
export interface Allocator {
  readonly alloc: string;
  readonly free: { readonly name: string; readonly takesLength: boolean } | null;
}

/** @returns null if the guest has none: it deals in numbers */
export function allocatorOf({ exports }: WebAssembly.Instance): Allocator | null {
  const isFunction = (name: string): boolean => typeof exports[name] === 'function';
  const alloc = ['alloc', 'malloc'].find(isFunction);
  if (alloc === undefined || !(exports['memory'] instanceof WebAssembly.Memory)) return null;
  const free = ['free', 'dealloc'].find(isFunction);
  return {
    alloc,
    free: free === undefined ? null : { name: free, takesLength: (exports[free] as () => void).length > 1 },
  };
}

/** Names of the convention, which are no entry points. */
export const RESERVED: readonly string[] = ['alloc', 'malloc', 'free', 'dealloc', '_initialize'];

export function directionsOf(kind: EntryKind): { readonly input: ValueKind; readonly output: ValueKind } {
  return typeof kind === 'string' ? { input: kind, output: kind } : kind;
}

/** What a value passes as where nobody has said it. */
export function kindOf(input: unknown, typed: boolean): ValueKind {
  if (typed) return 'values';
  if (typeof input === 'string') return 'text';
  return input instanceof Uint8Array ? 'bytes' : 'json';
}

const isDirect = (kind: ValueKind): boolean => kind === 'numbers' || kind === 'values';

/** A guest and what is known of it, for one call. */
export interface ValueContext {
  readonly guest: Guest;
  readonly allocator: Allocator | null;
  readonly typed: boolean;
  readonly limits: SettledLimits;
  /** The plugin, for messages. */
  readonly subject: string;
  /** Memory of the guest that nobody gives back, since the call has failed. */
  abandon(address: number, length: number): void;
}

/** What a call is given, taken over: the caller may do with the original what it likes. */
export type Input =
  | { readonly direct: readonly unknown[] }
  | { readonly direct: null; readonly bytes: Uint8Array; readonly output: ValueKind };

/**
 * @param subject the plugin and the entry point, for messages
 * @throws FiberError `INVALID_OPTION`, `NOT_TYPED`, `LIMIT_REACHED` inputBytes
 */
export function takeInput(
  kind: EntryKind,
  input: unknown,
  { typed, limits }: Pick<ValueContext, 'typed' | 'limits'>,
  subject: string,
): Input {
  const { input: given, output } = directionsOf(kind);
  if ((isDirect(given) || isDirect(output)) && given !== output) {
    throw new FiberError('INVALID_OPTION', `${subject} cannot take ${given} and return ${output}.`);
  }
  if (given === 'values' && !typed) {
    throw new FiberError(
      'NOT_TYPED',
      `${subject} is to take values, and the module does not say what its types are. Compile it by the transform, or pass bytes, text, json or numbers.`,
    );
  }
  if (isDirect(given)) return { direct: takeArguments(given, input, subject) };
  const bytes = encode(given, input, subject);
  if (bytes.length > limits.inputBytes) {
    throw limitReached(
      'inputBytes',
      `${subject} was given ${bytes.length} bytes, more than the limit inputBytes of ${limits.inputBytes}.`,
    );
  }
  return { direct: null, bytes, output };
}

function takeArguments(kind: ValueKind, input: unknown, subject: string): readonly unknown[] {
  const args = input === undefined ? [] : input;
  if (!Array.isArray(args)) {
    throw new FiberError('INVALID_OPTION', `${subject} takes a list of arguments, not ${show(args)}.`);
  }
  if (kind === 'numbers' && !args.every(isNumber)) {
    throw new FiberError('INVALID_OPTION', `${subject} takes a list of numbers and bigints.`);
  }
  return [...(args as readonly unknown[])];
}

/** Calls an entry point, and gives what it returns. */
export async function callWith(context: ValueContext, call: Call, input: Input): Promise<unknown> {
  const subject = `${context.subject}: ${call.name}`;
  if (input.direct === null) {
    return decode(input.output, await callWithBytes(context, call, input.bytes, subject), subject, context.limits);
  }
  const result = await call.run(context.guest, call.name, input.direct);
  const results: readonly unknown[] = Array.isArray(result) ? result : [result];
  // A function of the guest would be code that runs without limits.
  if (!context.typed && !results.every((each) => each === undefined || isNumber(each))) {
    throw corrupt(`${subject} returned a reference where numbers were expected`);
  }
  return result;
}

const isNumber = (value: unknown): boolean => typeof value === 'number' || typeof value === 'bigint';

async function callWithBytes(
  context: ValueContext,
  call: Call,
  bytes: Uint8Array,
  subject: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const { guest, limits } = context;
  const address = await store(context, call, bytes, subject);
  let packed: unknown;
  try {
    packed = await call.run(guest, call.name, [address, bytes.length]);
  } catch (error) {
    if (address !== 0) context.abandon(address, bytes.length);
    throw error;
  }
  if (packed === undefined) {
    await release(context, call, address, bytes.length);
    return new Uint8Array();
  }
  if (typeof packed !== 'bigint') {
    throw corrupt(
      `${subject} returned a number where an i64 of address and length was expected (call it as numbers if that is what it deals in)`,
    );
  }
  const length = Number(BigInt.asUintN(32, packed));
  const start = Number(BigInt.asUintN(32, packed >> 32n));
  if (length > limits.outputBytes) {
    throw limitReached(
      'outputBytes',
      `${subject} returned ${length} bytes, more than the limit outputBytes of ${limits.outputBytes}.`,
    );
  }
  const result = length === 0 ? new Uint8Array() : readBytes(guest.memory, start, length, `${subject} (its result)`);
  await release(context, call, address, bytes.length);
  // A function may return what it was given.
  if (start !== address) await release(context, call, start, length);
  return result;
}

/**
 * Puts bytes into the guest's memory, where the guest makes room for them.
 *
 * @param parent the fiber that waits for it, if one does
 * @returns the address; 0 for none
 */
export async function store(
  { guest, allocator }: ValueContext,
  call: Call,
  bytes: Uint8Array,
  subject: string,
  parent: Fiber | null = null,
): Promise<number> {
  if (allocator === null) {
    throw new FiberError(
      'NO_SUCH_EXPORT',
      `${subject} passes text, bytes or JSON, for which the module has to export memory and alloc (or malloc). Call it as numbers if that is what it takes.`,
    );
  }
  if (bytes.length === 0) return 0;
  const address: unknown = await call.run(guest, allocator.alloc, [bytes.length], parent);
  if (typeof address !== 'number' || address === 0) {
    throw new FiberError('OUT_OF_MEMORY', `${subject}: ${allocator.alloc} found no room for ${bytes.length} bytes.`);
  }
  writeBytes(guest.memory, address, bytes, `${subject}: ${allocator.alloc}`);
  return address >>> 0;
}

/** Gives memory back, as the guest has it done. */
export async function release(
  { guest, allocator }: ValueContext,
  call: Call,
  address: number,
  length: number,
): Promise<void> {
  if (length === 0 || allocator === null || allocator.free === null) return;
  const { name, takesLength } = allocator.free;
  await call.run(guest, name, takesLength ? [address, length] : [address]);
}

function encode(kind: ValueKind, input: unknown, subject: string): Uint8Array {
  if (kind === 'json') return encodeJson(input, `The input of ${subject}`);
  if (input === undefined) return new Uint8Array();
  if (kind === 'text' && typeof input === 'string') return encodeText(input);
  if (kind === 'bytes' && input instanceof ArrayBuffer) return new Uint8Array(input.slice(0));
  // A copy: the caller may write into it while room is made.
  if (kind === 'bytes' && input instanceof Uint8Array) return new Uint8Array(input);
  throw new FiberError('INVALID_OPTION', `${subject} takes ${kind}, not ${show(input)}.`);
}

function decode(kind: ValueKind, bytes: Uint8Array<ArrayBuffer>, subject: string, limits: SettledLimits): unknown {
  if (kind === 'bytes') return bytes;
  return kind === 'text' ? decodeText(bytes, subject) : decodeJson(bytes, subject, limits);
}
