/**
 * This process's own streams for a program, and what a person does at the terminal: the first Ctrl-C ends the program in good
 * order, and a second one this process.
 */
import type { WriteStream } from 'node:tty';
import type { WasiOptions } from '../wasi/index.ts';

type Signal = 'SIGINT' | 'SIGTERM';

type Streams = Required<Pick<WasiOptions, 'stdin' | 'stdout' | 'stderr' | 'terminal'>>;

export class Terminal {
  readonly streams: Streams = {
    stdin: process.stdin,
    stdout: writer(process.stdout),
    stderr: writer(process.stderr),
    // A stream that is none says nothing of it.
    terminal: {
      stdin: process.stdin.isTTY === true,
      stdout: process.stdout.isTTY === true,
      stderr: process.stderr.isTTY === true,
    },
  };
  /** What has ended the program. */
  received: Signal | null = null;
  readonly #controller = new AbortController();
  readonly #onSignal = (signal: Signal): void => {
    this.received = signal;
    this.#controller.abort(signal);
  };

  constructor() {
    process.once('SIGINT', this.#onSignal);
    process.once('SIGTERM', this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Lets go of everything that would keep this process alive, when all is printed. */
  async release(): Promise<void> {
    process.off('SIGINT', this.#onSignal);
    process.off('SIGTERM', this.#onSignal);
    process.stdin.destroy();
    await Promise.all([process.stdout, process.stderr].map(printed));
  }
}

/** Holds the program back while the stream is full; a reader that has gone is told at the next write. */
function writer(stream: WriteStream): (bytes: Uint8Array) => Promise<void> | void {
  let failure: Error | null = null;
  stream.on('error', (error) => (failure = error));
  return (bytes) => {
    if (failure !== null) throw failure;
    if (stream.write(bytes)) return;
    return new Promise((resolve) => {
      const settle = (): void => {
        stream.off('drain', settle).off('error', settle);
        resolve();
      };
      stream.on('drain', settle).on('error', settle);
    });
  };
}

function printed(stream: WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0 || stream.destroyed) resolve();
    else stream.write('', () => resolve());
  });
}
