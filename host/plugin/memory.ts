/**
 * The guest's memory as a plugin's values pass through it. Every address and length comes from the guest: it is taken as
 * unsigned, checked against the memory as it is at that moment, and what is read is copied, so that nothing that the host holds
 * changes or vanishes later.
 */
import { FiberError } from '../errors.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * @param subject who gave the address, for messages
 * @throws FiberError `CORRUPT_VALUE`
 */
export function readBytes(
  memory: WebAssembly.Memory,
  address: number,
  length: number,
  subject: string,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(rangeOf(memory, address, length, subject).length);
  bytes.set(rangeOf(memory, address, length, subject));
  return bytes;
}

/** @throws FiberError `CORRUPT_VALUE` */
export function writeBytes(memory: WebAssembly.Memory, address: number, bytes: Uint8Array, subject: string): void {
  rangeOf(memory, address, bytes.length, subject).set(bytes);
}

function rangeOf(memory: WebAssembly.Memory, address: number, length: number, subject: string): Uint8Array {
  const start = address >>> 0;
  const size = length >>> 0;
  const { buffer } = memory;
  if (start + size > buffer.byteLength) {
    throw corrupt(`${subject} gave ${size} bytes at ${start}, beyond its memory of ${buffer.byteLength}`);
  }
  return new Uint8Array(buffer, start, size);
}

export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** @throws FiberError `CORRUPT_VALUE` */
export function decodeText(bytes: Uint8Array, subject: string): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw corrupt(`${subject} gave text that is no UTF-8`, cause);
  }
}

export function corrupt(what: string, cause?: unknown): FiberError {
  return new FiberError(
    'CORRUPT_VALUE',
    `${what}. docs/plugins.md says what a plugin's functions take and return.`,
    cause === undefined ? {} : { cause },
  );
}
