/** One test of the conformance suite: run, and judged. Runs in pages too. */
import { type RunOptions, TextOutput, run } from '../../../host/wasi/index.ts';

/** A test, as its files say. */
export interface Test {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly exitCode: number;
  /** Undefined where it does not matter. */
  readonly stdout: string | undefined;
  readonly stderr: string | undefined;
}

/** No test takes so long. Milliseconds. */
const PATIENCE = 20_000;
/** As much of what a test prints as explains why it failed. */
const EXPLANATION = 300;

/**
 * @param options its files
 * @returns what is wrong; null if it passed
 */
export async function trial(test: Test, source: Uint8Array<ArrayBuffer>, options: RunOptions): Promise<string | null> {
  const [stdout, stderr] = [new TextOutput(), new TextOutput()];
  try {
    const code = await run(source, {
      args: [test.name, ...test.args],
      env: test.env,
      stdout,
      stderr,
      timeout: PATIENCE,
      ...options,
    });
    const wrong = [
      ...(code === test.exitCode ? [] : [`exit code ${code}, not ${test.exitCode}`]),
      ...(test.stdout === undefined || test.stdout === stdout.text ? [] : [`stdout ${JSON.stringify(stdout.text)}`]),
      ...(test.stderr === undefined || test.stderr === stderr.text ? [] : [`stderr ${JSON.stringify(stderr.text)}`]),
    ];
    return wrong.length === 0 ? null : explain(wrong.join(', '), stderr.text);
  } catch (error) {
    return explain(error instanceof Error ? error.message : String(error), stderr.text);
  }
}

function explain(what: string, printed: string): string {
  return `${what} ${printed}`.replaceAll(/\s+/g, ' ').trim().slice(0, EXPLANATION);
}
