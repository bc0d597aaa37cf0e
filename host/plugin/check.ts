/**
 * What people and files say of a plugin, checked against a schema: the error names the field by its path, says what it must be
 * and what it is. Unknown fields are refused, since a misspelt limit would be no limit.
 *
 * The schemas are Valibot's, of which we use some 2.5 kB; Zod's small variant takes three times that for the same.
 */
import * as v from 'valibot';
import { FiberError, type FiberErrorCode } from '../errors.ts';

/** An object of these fields and no others. */
export function fields<Entries extends v.ObjectEntries>(entries: Entries): v.StrictObjectSchema<Entries, Message> {
  return v.strictObject(entries, (issue) =>
    issue.expected === 'never' ? `is unknown; there are ${Object.keys(entries).join(', ')}` : issue.message,
  );
}

type Message = (issue: v.StrictObjectIssue) => string;

/**
 * @param what the subject of the message: `The manifest of "tables"`, `The options of Plugin.load`
 * @returns the value, with nothing in it that the schema does not have
 * @throws FiberError with `code`
 */
export function check<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  what: string,
  code: FiberErrorCode,
): v.InferOutput<Schema> {
  let result;
  try {
    result = v.safeParse(schema, value, { abortEarly: true });
  } catch (cause) {
    // A getter or a proxy of whoever wrote it.
    throw new FiberError(code, `${what} cannot be read (${String(cause)}). Give a plain object.`, { cause });
  }
  if (result.success) return result.output;
  throw new FiberError(code, sentence(what, result.issues[0]));
}

function sentence(what: string, issue: v.BaseIssue<unknown>): string {
  const { type, expected, input, message } = issue;
  const whole = v.getDotPath(issue);
  // A plugin's own words, which may be long.
  const path = whole !== null && whole.length > 200 ? `${whole.slice(0, 200)}...` : whole;
  const field = path === null ? what : `${what}: ${path}`;
  if (type === 'strict_object' && expected === 'never') return `${field} ${message}. Is it misspelt?`;
  if (type === 'strict_object' && input === undefined) return `${field} is missing.`;
  // Schemas say `must be ...` in words of their own; what they leave to Valibot begins with `Invalid`.
  const wanted = message.startsWith('Invalid') ? `must be ${WORDS[expected ?? ''] ?? expected ?? ''}` : message;
  return `${field} ${wanted}, not ${show(input)}.`;
}

const WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  boolean: 'true or false',
  number: 'a number',
  Array: 'a list',
  Object: 'an object',
  Function: 'a function',
};

/** A value in as few words as a message allows. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}
