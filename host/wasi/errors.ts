/**
 * How a file system, a stream or a function of WASI fails: with an error whose `code` is a POSIX name, as those of Node's
 * `fs` are, so that such errors pass through as they are. The guest sees the number.
 */
import { ERRNO, type Errno } from './abi.ts';

/** The codes that the guest can be told. */
export type FileErrorCode = Exclude<keyof typeof ERRNO, 'SUCCESS'>;

/**
 * Thrown by a file system of one's own: the guest's call fails with that error number.
 *
 * @example
 * throw new FileError('ENOENT', `there is no ${name}`);
 */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly code: FileErrorCode;

  constructor(code: FileErrorCode, message: string = code, extra: { cause?: unknown } = {}) {
    super(message, extra);
    this.code = code;
  }
}

/** The error number that something thrown stands for; null if it stands for none. */
export function errnoOf(error: unknown): Errno | null {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return typeof code === 'string' && Object.hasOwn(ERRNO, code) ? ERRNO[code as keyof typeof ERRNO] : null;
}
