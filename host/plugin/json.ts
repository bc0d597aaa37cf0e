/**
 * JSON between a plugin and its host. What a plugin says is parsed in one go, which nothing interrupts, and takes as long as it has
 * values: 16 MiB of `{},{},{},` some seconds, of one string some hundredths of one. So they are counted first.
 */
import { FiberError } from '../errors.ts';
import { type SettledLimits, limitReached } from './limits.ts';
import { corrupt, decodeText, encodeText } from './memory.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** What stands before a value, or a key, but for the first of all. */
const COMMA = 0x2c;
const COLON = 0x3a;
const BRACKET = 0x5b;
const BRACE = 0x7b;
/** What closes a list or an object is two further on in ASCII. */
const TO_CLOSING = 2;

/**
 * @param subject who says it, for messages
 * @throws FiberError `CORRUPT_VALUE`, `LIMIT_REACHED` jsonValues
 */
export function parseJson(text: string, subject: string, { jsonValues }: SettledLimits): unknown {
  if (hasMoreValues(text, jsonValues)) {
    throw limitReached(
      'jsonValues',
      `${subject} gave JSON of more than ${jsonValues} values and keys, the limit jsonValues.`,
    );
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw corrupt(`${subject} gave text that is no JSON`, cause);
  }
}

/**
 * The same for bytes; none are `undefined`.
 *
 * @throws FiberError `CORRUPT_VALUE`, `LIMIT_REACHED` jsonValues
 */
export function decodeJson(bytes: Uint8Array, subject: string, limits: SettledLimits): unknown {
  return bytes.length === 0 ? undefined : parseJson(decodeText(bytes, subject), subject, limits);
}

/**
 * Counts what the text has if it is JSON; what is none may be told to have too much as well. A key counts for more if it is long:
 * engines compare it with all others that are as long.
 */
function hasMoreValues(text: string, most: number): boolean {
  let values = 1;
  let length = 0;
  for (let i = 0; i < text.length && values <= most; i++) {
    const unit = text.charCodeAt(i);
    if (isBlank(unit)) continue;
    if (unit === QUOTE) {
      const end = endOfString(text, i);
      length = end - i;
      i = end;
    } else if (unit === COMMA) values++;
    else if (unit === COLON) values += 1 + (length >> 6);
    else if (unit === BRACKET || unit === BRACE) {
      // Blanks are skipped once, or a text of nothing else would be walked twice.
      while (isBlank(text.charCodeAt(i + 1))) i++;
      const next = text.charCodeAt(i + 1);
      if (next !== BRACKET + TO_CLOSING && next !== BRACE + TO_CLOSING) values++;
    }
  }
  return values > most;
}

/** Space, tab and line breaks; nothing else is blank to JSON. */
function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}

/** The closing quote of the string that begins here; the text's end if there is none. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

/** @throws FiberError `INVALID_OPTION` for what JSON does not have */
export function encodeJson(value: unknown, subject: string): Uint8Array<ArrayBuffer> {
  if (value === undefined) return new Uint8Array();
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(value) as string | undefined;
  } catch (error) {
    cause = error;
  }
  if (text === undefined) {
    throw new FiberError(
      'INVALID_OPTION',
      `${subject} is no value that JSON has${cause === undefined ? '' : ` (${String(cause)})`}.`,
      { cause },
    );
  }
  return encodeText(text);
}
