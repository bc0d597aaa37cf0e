/**
 * Standard output and error to whatever the host has. A write waits until the one before has been taken, so that a program
 * that prints faster than its reader reads is held back instead of filling the memory.
 */
import { FileError } from './errors.ts';
import { type Awaitable, Lock, type Steps, settle } from './steps.ts';

/** An object that takes output. */
export interface OutputWriter {
  /** May return a promise, to hold the program back until it has settled. */
  write(bytes: Uint8Array<ArrayBuffer>): Awaitable<unknown>;
  /** Called when the program has ended. */
  flush?(): Awaitable<unknown>;
}

/** What takes output: a function or an object with `write`, which may return a promise; or a stream. */
export type OutputTarget =
  | ((bytes: Uint8Array<ArrayBuffer>) => Awaitable<unknown>)
  | OutputWriter
  | WritableStream<Uint8Array>;

interface Sink {
  /** Takes bytes; a promise says when the next may come. */
  write(bytes: Uint8Array<ArrayBuffer>): Awaitable<unknown>;
  /** Null if it would take bytes at once, else when. */
  pending(): Promise<unknown> | null;
  /** Waits for what was written; the stream itself stays open, and is the host's again. */
  end(): Awaitable<unknown>;
}

export class Output {
  readonly #sink: Sink;
  readonly #lock = new Lock();
  #writing: Promise<void> | null = null;
  #failure: FileError | null = null;

  constructor(target: OutputTarget) {
    this.#sink = sinkOf(target);
  }

  /** Would a write return at once? Also one that fails does. */
  get ready(): boolean {
    return this.#failure !== null || (this.#writing === null && this.#sink.pending() === null);
  }

  get failed(): boolean {
    return this.#failure !== null;
  }

  /** Resolves when a write would return at once; never rejects. */
  async whenReady(): Promise<void> {
    while (!this.ready) await (this.#writing ?? this.#sink.pending())?.then(undefined, () => {});
  }

  /** @throws FileError `EPIPE` if nobody takes it any more */
  write(bytes: Uint8Array<ArrayBuffer>): Steps<void> {
    return this.#lock.run(() => this.#write(bytes));
  }

  /** Waits until everything has been taken. */
  *end(): Steps<void> {
    try {
      yield* settle(this.#sink.end());
    } catch {
      // Who wanted to know was told at the write.
    }
  }

  *#write(bytes: Uint8Array<ArrayBuffer>): Steps<void> {
    if (this.#failure !== null) throw this.#failure;
    if (bytes.length === 0) return;
    let release: (() => void) | undefined;
    try {
      const taken = this.#sink.write(bytes);
      if (typeof taken !== 'object' || taken === null || !('then' in taken)) return;
      this.#writing = new Promise((resolve) => (release = resolve));
      yield* settle(taken);
    } catch (cause) {
      throw (this.#failure = new FileError('EPIPE', 'the output was not taken', { cause }));
    } finally {
      this.#writing = null;
      release?.();
    }
  }
}

function sinkOf(target: OutputTarget): Sink {
  if (target instanceof WritableStream) return streamSink(target);
  if (typeof target === 'function') return { write: target, pending: () => null, end: () => undefined };
  return { write: (bytes) => target.write(bytes), pending: () => null, end: () => target.flush?.() };
}

/** Bytes are handed over when the stream asks for more, as far as its queue goes. */
function streamSink(stream: WritableStream<Uint8Array>): Sink {
  const writer = stream.getWriter();
  let last: Promise<void> = Promise.resolve();
  let failed = false;
  const fail = (): void => {
    failed = true;
  };
  // Whoever closes or aborts the stream from outside is noticed at the next write.
  writer.closed.then(fail, fail);
  writer.ready.catch(fail);
  const hand = (bytes: Uint8Array<ArrayBuffer>): void => {
    last = writer.write(bytes);
    last.catch(fail);
  };
  const wait = async (bytes: Uint8Array<ArrayBuffer>): Promise<void> => {
    await writer.ready;
    if (failed) await writer.closed.then(() => Promise.reject(new Error('the stream is closed')));
    hand(bytes);
  };
  return {
    write: (bytes) => (!failed && (writer.desiredSize ?? 0) > 0 ? hand(bytes) : wait(bytes)),
    pending: () => (failed || (writer.desiredSize ?? 1) > 0 ? null : writer.ready),
    async end() {
      try {
        await last;
      } finally {
        writer.releaseLock();
      }
    },
  };
}

/**
 * Collects output as text.
 *
 * @example
 * const out = new TextOutput();
 * await run(source, { stdout: out });
 * console.log(out.text);
 */
export class TextOutput {
  readonly #decoder = new TextDecoder();
  #text = '';

  /** Everything written so far. */
  get text(): string {
    return this.#text;
  }

  write(bytes: Uint8Array): void {
    this.#text += this.#decoder.decode(bytes, { stream: true });
  }
}

/** Units of a line without an end that are kept until it has one; what is longer is printed as if it had. */
const LONGEST_LINE = 65_536;

/**
 * The console, which takes whole lines: what is after the last line break is printed at the end. The lines of one write are one call,
 * since a program can write millions of them at once, and each call costs the host microseconds.
 */
export function consoleOutput(kind: 'log' | 'error'): OutputWriter {
  const decoder = new TextDecoder();
  // oxlint-disable-next-line no-console -- it is where a page's output goes, as long as the embedder names no other place
  const print = (line: string): void => console[kind](line);
  let rest = '';
  return {
    write(bytes) {
      // No letter of several bytes has this byte in it.
      const end = bytes.lastIndexOf(0x0a);
      if (end >= 0) {
        const lines = rest + decoder.decode(bytes.subarray(0, end), { stream: true });
        rest = '';
        // A letter that was begun before the break is over with it.
        print(lines + decoder.decode());
      }
      rest += decoder.decode(bytes.subarray(end + 1), { stream: true });
      if (rest.length <= LONGEST_LINE) return;
      print(rest);
      rest = '';
    },
    flush() {
      if (rest !== '') print(rest);
      rest = '';
    },
  };
}

export function isOutputTarget(value: unknown): value is OutputTarget {
  if (typeof value === 'function') return true;
  if (typeof value !== 'object' || value === null) return false;
  return value instanceof WritableStream || ('write' in value && typeof value.write === 'function');
}
