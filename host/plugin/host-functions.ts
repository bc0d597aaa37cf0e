/**
 * Host functions as a plugin calls them. What a plugin gets at is the function's effect and its result, and nothing else of the
 * host: no `this`, no object as a result, no call more often than the limits say. What is marked takes text, bytes or JSON in the
 * place of addresses and lengths.
 */
import { isThenable } from '../backends/thenable.ts';
import { FiberError } from '../errors.ts';
import { type Fiber, currentFiber } from '../index.ts';
import { decodeJson, encodeJson, parseJson } from './json.ts';
import { type SettledLimits, limitReached } from './limits.ts';
import { corrupt, decodeText, encodeText, readBytes } from './memory.ts';
import type { Traffic } from './traffic.ts';

/** A function of the host; what it is given is decided by how the plugin declares it. */
export type HostFunction = (...args: never[]) => unknown;

/** Host functions by module and name, as the plugin imports them. */
export type HostFunctions = Readonly<Record<string, Readonly<Record<string, HostFunction>>>>;

type Form = 'bytes' | 'text' | 'json';

const forms = new WeakMap<HostFunction, Form>();

/** Not the function itself, which may be used without a mark elsewhere. */
function mark<A, R>(form: Form, fn: (input: A) => R): (input: A) => R {
  if (typeof fn !== 'function')
    throw new FiberError('INVALID_OPTION', `${form}Function takes a function, not ${String(fn)}.`);
  const marked = (input: A): R => fn(input);
  forms.set(marked, form);
  return marked;
}

/**
 * Marks a host function that takes and returns text. The plugin imports it as `(ptr: i32, len: i32) -> i64`, or without a
 * result; docs/plugins.md has the convention.
 *
 * @param fn may return a promise; `undefined` is empty
 * @throws FiberError `INVALID_OPTION`
 * @example
 * const hostFunctions = { app: { greet: textFunction(async (name) => `Hello, ${name}`) } };
 */
export function textFunction(
  fn: (text: string) => string | void | PromiseLike<string | void>,
): (text: string) => string | void | PromiseLike<string | void> {
  return mark('text', fn);
}

/**
 * The same for bytes, which are a copy of the plugin's.
 *
 * @throws FiberError `INVALID_OPTION`
 */
export function bytesFunction(
  fn: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array | void | PromiseLike<Uint8Array | void>,
): (bytes: Uint8Array<ArrayBuffer>) => Uint8Array | void | PromiseLike<Uint8Array | void> {
  return mark('bytes', fn);
}

/**
 * The same for JSON. The value is whatever the plugin says: check it before it is used.
 *
 * @throws FiberError `INVALID_OPTION`
 */
export function jsonFunction(fn: (value: unknown) => unknown): (value: unknown) => unknown {
  return mark('json', fn);
}

/** What linking needs of the instance that calls. */
export interface Caller {
  readonly memory: WebAssembly.Memory;
  /** Puts bytes into the guest's memory, and gives the packed address and length; for the fiber that called, if one did. */
  store(bytes: Uint8Array, fiber: Fiber | null, name: string): Promise<bigint>;
}

export interface Link {
  readonly name: string;
  readonly limits: SettledLimits;
  readonly traffic: Traffic;
  readonly caller: () => Caller;
  /** Do values arrive as the host's own (AssemblyScript, typed)? */
  readonly typed: boolean;
}

/** Has the function to be imported as `(i32, i32) -> i64` or `(i32, i32)`? */
export function takesData(fn: HostFunction): boolean {
  return forms.has(fn);
}

/** @returns the function to import */
export function linkHostFunction(fn: HostFunction, link: Link): (...args: unknown[]) => unknown {
  const { name, traffic, typed } = link;
  // Without `this`: a method of an object of the embedder's would otherwise be a way to it.
  const call = (...args: unknown[]): unknown => {
    traffic.admit(name);
    return traffic.watch(Reflect.apply(fn as (...args: unknown[]) => unknown, undefined, args));
  };
  const form = forms.get(fn);
  if (typed) return form === 'json' ? typedJson(call, link) : call;
  return form === undefined ? numeric(call, name) : data(call, form, link);
}

function typedJson(call: (value: unknown) => unknown, { name, limits }: Link): (text: unknown) => unknown {
  const toText = (value: unknown): string => decodeText(encodeJson(value, `The result of ${name}`), name);
  return (text) => {
    const given = String(text);
    const result = call(given === '' ? undefined : parseJson(given, `The plugin's call of ${name}`, limits));
    return isThenable(result) ? result.then(toText) : toText(result);
  };
}

/** Numbers in, a number out. */
function numeric(call: (...args: unknown[]) => unknown, name: string): (...args: unknown[]) => unknown {
  const checked = (value: unknown): unknown => {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return value;
    throw new FiberError(
      'HOST_FUNCTION_FAILED',
      `The host function ${name} returned ${typeof value === 'function' ? 'a function' : 'an object'}, and a plugin takes numbers. Mark it by textFunction, bytesFunction or jsonFunction if it is to return more.`,
    );
  };
  return (...args) => {
    // Functions of the guest, called from outside of a fiber, would be code without limits.
    if (args.some((value) => typeof value !== 'number' && typeof value !== 'bigint' && value !== null)) {
      throw corrupt(`The plugin passed a reference to ${name}, which takes numbers`);
    }
    const result = call(...args);
    return isThenable(result) ? result.then(checked) : checked(result);
  };
}

function data(
  call: (value: unknown) => unknown,
  form: Form,
  { name, limits, caller }: Link,
): (address: unknown, length: unknown) => unknown {
  return (address, length) => {
    if (typeof address !== 'number' || typeof length !== 'number') {
      throw corrupt(`The plugin imports ${name} with other parameters than (ptr: i32, len: i32)`);
    }
    if (length >>> 0 > limits.outputBytes) {
      throw limitReached(
        'outputBytes',
        `The plugin passed ${length >>> 0} bytes to ${name}, more than its limit outputBytes of ${limits.outputBytes}.`,
      );
    }
    const bytes = readBytes(caller().memory, address, length, `The plugin's call of ${name}`);
    const fiber = currentFiber();
    const store = (value: unknown): bigint | Promise<bigint> => {
      const encoded = encode(value, form, name);
      return encoded.length === 0 ? 0n : caller().store(encoded, fiber, name);
    };
    const result = call(decode(bytes, form, name, limits));
    return isThenable(result) ? result.then(store) : store(result);
  };
}

function decode(bytes: Uint8Array<ArrayBuffer>, form: Form, name: string, limits: SettledLimits): unknown {
  if (form === 'bytes') return bytes;
  const subject = `The plugin's call of ${name}`;
  return form === 'text' ? decodeText(bytes, subject) : decodeJson(bytes, subject, limits);
}

function encode(value: unknown, form: Form, name: string): Uint8Array {
  if (value === undefined) return new Uint8Array();
  if (form === 'json') return encodeJson(value, `The result of ${name}`);
  if (form === 'text' && typeof value === 'string') return encodeText(value);
  if (form === 'bytes' && value instanceof Uint8Array) return value;
  throw new FiberError(
    'HOST_FUNCTION_FAILED',
    `The host function ${name} returned ${value === null ? 'null' : typeof value} where ${form} was expected.`,
  );
}
