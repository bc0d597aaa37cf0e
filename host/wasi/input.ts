/**
 * Standard input from whatever the host has, pulled only when the program wants it: a chunk is asked for when a read or a poll
 * finds nothing, and what a read does not take is kept for the next.
 */
import { FileError } from './errors.ts';

/** A piece of input; text is encoded as UTF-8. */
export type Chunk = string | Uint8Array;

/** What standard input may come from. */
export type InputSource = Chunk | AsyncIterable<Chunk> | Iterable<Chunk> | ReadableStream<Chunk>;

interface Puller {
  next(): Promise<IteratorResult<unknown>> | IteratorResult<unknown>;
  /** The program reads no more. */
  stop(): void;
}

const encoder = new TextEncoder();

export class Input {
  readonly #puller: Puller;
  #left: Uint8Array = new Uint8Array(0);
  #ended = false;
  #failure: FileError | null = null;
  #pulling: Promise<void> | null = null;

  constructor(source: InputSource) {
    this.#puller = pullerOf(source);
  }

  /** Bytes that a read gets without waiting. */
  get available(): number {
    return this.#left.length;
  }

  /** Would a read return at once, with bytes, with the end or with a failure? */
  get ready(): boolean {
    return this.#left.length > 0 || this.#ended || this.#failure !== null;
  }

  get ended(): boolean {
    return this.#ended && this.#left.length === 0;
  }

  /** Resolves when a read would return at once; never rejects. */
  async whenReady(): Promise<void> {
    while (!this.ready) await this.#pull();
  }

  /** What a read gets at once: at most so many bytes, none only at the end. A failure of the source is told once, and is the end. */
  take(most: number): Uint8Array {
    if (this.#left.length === 0 && this.#failure !== null) {
      const failure = this.#failure;
      this.#failure = null;
      this.#ended = true;
      throw failure;
    }
    const bytes = this.#left.subarray(0, most);
    this.#left = this.#left.subarray(bytes.length);
    return bytes;
  }

  stop(): void {
    if (!this.#ended && this.#failure === null) this.#puller.stop();
    this.#ended = true;
  }

  #pull(): Promise<void> {
    this.#pulling ??= this.#take().finally(() => (this.#pulling = null));
    return this.#pulling;
  }

  async #take(): Promise<void> {
    try {
      const { done, value } = await this.#puller.next();
      if (done === true) this.#ended = true;
      else this.#left = bytesOf(value);
    } catch (cause) {
      this.#failure = new FileError('EIO', 'standard input failed', { cause });
    }
  }
}

function bytesOf(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return encoder.encode(chunk);
  if (chunk instanceof Uint8Array) return chunk;
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw new TypeError(`standard input gave neither text nor bytes: ${String(chunk)}`);
}

function pullerOf(source: InputSource): Puller {
  if (typeof source === 'string' || source instanceof Uint8Array) return pullerOf([source]);
  // Before the iterators, since not every engine has made streams iterable.
  if (source instanceof ReadableStream) {
    const reader = source.getReader();
    return { next: () => reader.read(), stop: () => reader.cancel().catch(() => {}) };
  }
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  return {
    next: () => iterator.next(),
    // A generator that waits for something itself ends only after that: nobody waits for it.
    stop: () => void Promise.resolve(iterator.return?.()).catch(() => {}),
  };
}

export function isInputSource(value: unknown): value is InputSource {
  if (typeof value === 'string' || value instanceof Uint8Array) return true;
  if (typeof value !== 'object' || value === null) return false;
  return value instanceof ReadableStream || Symbol.asyncIterator in value || Symbol.iterator in value;
}
