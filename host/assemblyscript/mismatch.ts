/**
 * What is said of a value that does not fit its type. A converter knows what it expected and what it was given; where in
 * a larger value that was is added on the way out, and whoever called the converter adds which function and parameter.
 */

/** Thrown by converters only, and turned into a `TypeError` where a conversion began. */
export class Mismatch extends Error {
  /** From the outermost value to the one that did not fit: `[3]`, `.x`; those of a long path in the middle are left out. */
  path = '';

  /** @param words say what was given, if they can say more than the value itself */
  constructor(expected: string, given: unknown, words: string = describe(given)) {
    super(`must be ${expected}, not ${words}`);
  }

  /** @param subject names what did not fit, from the path: `greet: parameter "points[3].x"` */
  toTypeError(subject: (path: string) => string): TypeError {
    return new TypeError(`${subject(this.path)} ${this.message}`);
  }
}

const LONGEST_PATH = 120;

/** What leaves the converter of a composite value: the error, its path one step longer if it has one. */
export function within(step: string | number, error: unknown): unknown {
  if (!(error instanceof Mismatch)) return error;
  const path = (typeof step === 'number' ? `[${step}]` : `.${step}`) + error.path;
  error.path = path.length <= LONGEST_PATH ? path : `${path.slice(0, 60)}...${path.slice(-40)}`;
  return error;
}

/** A value in a few words, without running any code of the embedder's. */
function describe(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'undefined';
    case 'string':
      return `${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value)} (string)`;
    case 'bigint':
      return `${value} (bigint)`;
    case 'number':
      return `${Object.is(value, -0) ? '-0' : value} (number)`;
    case 'boolean':
    case 'symbol':
      return `${String(value)} (${typeof value})`;
    case 'function':
      return 'a function';
    default:
      return value === null ? 'null' : describeObject(value as object);
  }
}

function describeObject(value: object): string {
  try {
    if (Array.isArray(value)) return 'an array';
    const prototype: unknown = Object.getPrototypeOf(value);
    const made: unknown =
      prototype === null ? undefined : Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
    const name: unknown = typeof made === 'function' ? Object.getOwnPropertyDescriptor(made, 'name')?.value : undefined;
    return typeof name === 'string' && name !== '' && name !== 'Object' ? `an object (${name})` : 'an object';
  } catch {
    // A proxy that was revoked, or whose traps throw.
    return 'an object';
  }
}
