/** How a guest says that it cannot go on: `throw`, a failed `assert`, a failed check of AssemblyScript's own. */

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
  /** What the guest said; `message` also has the place. */
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
