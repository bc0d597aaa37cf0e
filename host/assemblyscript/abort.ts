/** How a guest says that it cannot go on: `throw`, a failed `assert`, a failed check of AssemblyScript's own. */

/** V8 keeps ten frames of an error, half of which would be those of the host's import. */
const FRAMES = 200;
const LIMIT = 'stackTraceLimit';

/**
 * The error of a guest that called `abort`, with the guest's frames: the engine is asked for more of them while the error is
 * made, in which nobody else runs. An embedder that has turned stacks off gets none.
 */
export function aborted(...args: ConstructorParameters<typeof AssemblyScriptError>): AssemblyScriptError {
  const limit: unknown = Reflect.get(Error, LIMIT);
  if (typeof limit !== 'number' || limit === 0 || limit >= FRAMES || !Reflect.set(Error, LIMIT, FRAMES)) {
    return new AssemblyScriptError(...args);
  }
  try {
    return new AssemblyScriptError(...args);
  } finally {
    Reflect.set(Error, LIMIT, limit);
  }
}

/**
 * The guest called `abort`, which ends the call as a trap does: it is a `WebAssembly.RuntimeError`.
 *
 * @example
 * try {
 *   await guest.exports.parse(text);
 * } catch (error) {
 *   if (error instanceof AssemblyScriptError) show(error.fileName, error.lineNumber, error.reason);
 * }
 */
export class AssemblyScriptError extends WebAssembly.RuntimeError {
  /** What the guest said, at most 4096 units of it and then `...`; `message` also has the place. */
  readonly reason: string;
  /** As it was given to the compiler: `assembly/app.ts`. */
  readonly fileName: string;
  /** Counted from 1. */
  readonly lineNumber: number;
  /** Counted from 1. */
  readonly columnNumber: number;

  constructor(reason: string, fileName: string, lineNumber: number, columnNumber: number) {
    super(`${reason}${fileName === '' ? '' : ` (${fileName}:${lineNumber}:${columnNumber})`}`);
    this.name = 'AssemblyScriptError';
    this.reason = reason;
    this.fileName = fileName;
    this.lineNumber = lineNumber;
    this.columnNumber = columnNumber;
  }
}
