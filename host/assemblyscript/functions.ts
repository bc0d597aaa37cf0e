/**
 * Conversions of whole calls. While a value of several objects is lowered, or one is lifted of which the guest is to keep
 * objects, the values are in slots of the guest's shadow stack: see assembly/fibers.ts for why that is right. A single
 * object without references needs none, since nothing is allocated between it and the call that takes it.
 *
 * Between the last value and the call, or the return to the guest, nothing runs that could collect.
 */
import type { HostFunction } from '../backends/backend.ts';
import { isThenable } from '../backends/thenable.ts';
import type { EntryConversion, SiteConversion } from '../runtime/binding.ts';
import type { Codec, Raw } from './codec.ts';
import type { Codecs } from './codecs.ts';
import type { GuestMemory } from './memory.ts';
import { Mismatch } from './mismatch.ts';
import type { FunctionType, ImportType, Parameter } from './types.ts';

const ADDRESS_BYTES = 4;

/** What conversions of one guest share. */
export interface Conversions {
  readonly memory: GuestMemory;
  readonly codecs: Codecs;
  /** Does the guest's collector run while it allocates, so that values must be in slots? */
  readonly collects: boolean;
  /** Tells the guest how many arguments the next call has. */
  readonly setArgumentsLength: (count: number) => void;
}

/** For every value its slot, counted from the first; -1 for those that need none. */
interface Slots {
  readonly of: readonly number[];
  readonly bytes: number;
}

export function entryConversion(shared: Conversions, name: string, type: FunctionType): EntryConversion {
  const { memory, setArgumentsLength } = shared;
  const { params } = type;
  const codecs = params.map((param) => shared.codecs.of(param.type));
  const slots = slotsToLower(codecs, shared.collects);
  const required = params.filter((param) => !param.optional).length;
  const count = params.length;
  const lift = resultLifter(shared, name, type.result);

  const lowerAll = (args: readonly unknown[], given: number, base: number): Raw[] => {
    const raws: Raw[] = [];
    try {
      for (let i = 0; i < count; i++) {
        const codec = codecs[i] as Codec; // One for each parameter.
        const slot = slots.of[i] as number; // As above.
        raws.push(i >= given ? codec.zero : codec.lower(args[i], slot < 0 ? 0 : base + slot));
      }
    } catch (error) {
      throw located(error, parameter(name, params[raws.length]));
    }
    return raws;
  };
  const lowerInSlots = (args: readonly unknown[], given: number): Raw[] => {
    const base = memory.push(slots.bytes);
    try {
      return lowerAll(args, given, base);
    } finally {
      memory.pop(base + slots.bytes);
    }
  };
  const [only] = codecs;
  if (only !== undefined && count === 1 && required === 1) {
    return { lower: lowererOfOne(memory, only, slots.bytes, parameter(name, params[0])), lift };
  }
  return {
    lower(args) {
      memory.refresh();
      let given = count;
      if (required < count) {
        // Optional ones at the end may be left out, or given as undefined.
        given = Math.max(Math.min(args.length, count), required);
        while (given > required && args[given - 1] === undefined) given--;
      }
      const raws = slots.bytes === 0 ? lowerAll(args, given, 0) : lowerInSlots(args, given);
      if (required < count) setArgumentsLength(given);
      return raws;
    },
    lift,
  };
}

/** The same without everything that a single parameter does not need. */
function lowererOfOne(
  memory: GuestMemory,
  { lower }: Codec,
  bytes: number,
  subject: (path: string) => string,
): (args: readonly unknown[]) => Raw[] {
  const checked = (value: unknown, slot: number): Raw[] => {
    try {
      return [lower(value, slot)];
    } catch (error) {
      throw located(error, subject);
    }
  };
  if (bytes === 0) {
    return (args) => {
      memory.refresh();
      return checked(args[0], 0);
    };
  }
  return (args) => {
    const slot = memory.push(bytes);
    try {
      return checked(args[0], slot);
    } finally {
      memory.pop(slot + bytes);
    }
  };
}

export function siteConversion(shared: Conversions, type: ImportType): SiteConversion {
  const { memory } = shared;
  const name = `${type.module}.${type.name}`;
  const liftArguments = argumentLifter(shared, name, type.params);
  const lowerValue = resultLowerer(shared, name, type.result);
  const fail = failureLowerer(shared, name, type.result);
  // Who takes a `Result` takes it that something fails: a value of the wrong type, too.
  const lower =
    fail === null
      ? lowerValue
      : (value: unknown): unknown => {
          try {
            return lowerValue(value);
          } catch (error) {
            if (error instanceof TypeError) return fail(error);
            throw error;
          }
        };

  /** A plain result is lowered; a promise passes, and is what it seems to be whoever asks again. */
  const finish = (value: unknown): unknown => {
    if (value instanceof Promise) return value;
    return isThenable(value) ? Promise.resolve(value) : lower(value);
  };
  const wrap = (fn: HostFunction): HostFunction => {
    const f = fn as (...args: unknown[]) => unknown;
    const call = (args: unknown[]): unknown => {
      if (fail === null) return finish(f(...args));
      let value: unknown;
      try {
        value = f(...args);
      } catch (error) {
        return fail(error);
      }
      return finish(value);
    };
    return (...raws: Raw[]) => {
      memory.refresh();
      return call(liftArguments(raws));
    };
  };
  return { wrap, lower, fail };
}

function argumentLifter(shared: Conversions, name: string, params: readonly Parameter[]): (raws: Raw[]) => unknown[] {
  const { memory } = shared;
  const codecs = params.map((param) => shared.codecs.of(param.type));
  const liftAll = (raws: readonly Raw[]): unknown[] => {
    const values: unknown[] = [];
    try {
      for (let i = 0; i < codecs.length; i++) {
        const codec = codecs[i] as Codec; // Within its length.
        values.push(codec.lift(raws[i] as Raw)); // The engine gives as many as the import has.
      }
    } catch (error) {
      throw located(error, parameter(name, params[values.length]));
    }
    return values;
  };
  if (!shared.collects || !codecs.some((codec) => codec.holds)) return liftAll;
  return (raws) =>
    withSlots(memory, raws.length * ADDRESS_BYTES, (base) => {
      raws.forEach((raw, i) => {
        if (codecs[i]?.managed === true) memory.u32[(base + i * ADDRESS_BYTES) >>> 2] = raw as number;
      });
      return liftAll(raws);
    });
}

/** Of an export's result. */
function resultLifter(shared: Conversions, name: string, result: number | null): (raw: unknown) => unknown {
  if (result === null) return () => undefined;
  const { memory, codecs, collects } = shared;
  const { lift, holds, managed } = codecs.of(result);
  const subject = resultOf(name);
  // A number has nothing to be looked up, and nothing that could be wrong.
  if (!managed) return lift as (raw: unknown) => unknown;
  const checked = (raw: unknown): unknown => {
    memory.refresh();
    try {
      // The engine gives what the export's type says, which the section describes.
      return lift(raw as Raw);
    } catch (error) {
      throw located(error, subject);
    }
  };
  if (!holds || !collects) return checked;
  return (raw) =>
    withSlots(memory, ADDRESS_BYTES, (slot) => {
      memory.u32[slot >>> 2] = raw as number;
      return checked(raw);
    });
}

/** Of an import's result. */
function resultLowerer(shared: Conversions, name: string, result: number | null): (value: unknown) => unknown {
  if (result === null) return () => undefined;
  const { lower, deep } = shared.codecs.of(result);
  return lowerer(shared, lower, deep, resultOf(name));
}

function failureLowerer(shared: Conversions, name: string, result: number | null): SiteConversion['fail'] {
  const codec = result === null ? null : shared.codecs.result(result);
  return codec === null ? null : lowerer(shared, codec.fail, true, resultOf(name));
}

/** Lowers one value that nothing but a slot holds until it is complete. */
function lowerer(
  { memory, collects }: Conversions,
  lower: (value: unknown, slot: number) => Raw,
  deep: boolean,
  subject: (path: string) => string,
): (value: unknown) => Raw {
  const checked = (value: unknown, slot: number): Raw => {
    try {
      return lower(value, slot);
    } catch (error) {
      throw located(error, subject);
    }
  };
  if (deep && collects) return (value) => withSlots(memory, ADDRESS_BYTES, (slot) => checked(value, slot));
  return (value) => {
    memory.refresh();
    return checked(value, 0);
  };
}

/** A global's value, both ways; `get` and `set` are those of WebAssembly. */
export function globalConversion(
  shared: Conversions,
  name: string,
  type: number,
): { readonly lift: (raw: unknown) => unknown; readonly lower: (value: unknown) => Raw } {
  const { lower, deep } = shared.codecs.of(type);
  const subject = (path: string): string => (path === '' ? name : `${name}${path}`);
  const lift = resultLifter(shared, name, type);
  return { lift, lower: lowerer(shared, lower, deep, subject) };
}

/** Values must be in slots if something may be allocated after them: all but the last, and those of several objects. */
function slotsToLower(codecs: readonly Codec[], collects: boolean): Slots {
  const last = codecs.findLastIndex((codec) => codec.managed);
  let bytes = 0;
  const of = codecs.map((codec, i) => {
    if (!collects || !codec.managed || (i === last && !codec.deep)) return -1;
    bytes += ADDRESS_BYTES;
    return bytes - ADDRESS_BYTES;
  });
  return { of, bytes };
}

function withSlots<T>(memory: GuestMemory, bytes: number, run: (base: number) => T): T {
  const base = memory.push(bytes);
  try {
    return run(base);
  } finally {
    memory.pop(base + bytes);
  }
}

function located(error: unknown, subject: (path: string) => string): unknown {
  return error instanceof Mismatch ? error.toTypeError(subject) : error;
}

function parameter(name: string, param: Parameter | undefined): (path: string) => string {
  return (path) => `${name}: parameter "${param?.name ?? ''}${path}"`;
}

function resultOf(name: string): (path: string) => string {
  return (path) => (path === '' ? `${name}: the result` : `${name}: result${path}`);
}
