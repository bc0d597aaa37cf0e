/** How a command ends when it does not do what was asked: a sentence and an exit code. */

/** 0 done, 1 refused (the module, or what was asked of it), 2 usage (the command line, or a file that cannot be read). */
export type ExitCode = 0 | 1 | 2;

export class CliError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}
