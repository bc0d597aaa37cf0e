/**
 * One call of a plugin, from its first fiber to its last: making room for the input, the function itself, giving memory back. All
 * of it has one limit of time, one of fuel and one signal; the first of them that is reached ends the call, whatever its fibers
 * make of that.
 */
import { FiberError } from '../errors.ts';
import type { Fiber, Guest } from '../index.ts';
import { consumptionOf, meteredFiber } from './metering.ts';

export interface CallOptions {
  /** Milliseconds, waits included; the limit `timeout` if that is less. */
  readonly timeout?: number | undefined;
  /** Ends the call when aborted: it fails with `CANCELLED`. */
  readonly signal?: AbortSignal | undefined;
  /** Units of work; the limit `fuel` if that is less. */
  readonly fuel?: number | undefined;
}

export class Call {
  /** The entry point. */
  readonly name: string;
  /** Rejects when the call is ended before its time; never resolves. */
  readonly ended: Promise<never>;
  /** What the engine said of a function that it did not call, since its parameters or results are of other types. */
  refusal: TypeError | null = null;
  fuel = 0;
  slices = 0;
  guestMs = 0;
  readonly #budget: number | null;
  readonly #metered: boolean;
  readonly #fibers = new Set<Fiber>();
  readonly #end: (error: FiberError) => void;
  #begun = false;
  #error: FiberError | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #unsubscribe: (() => void) | null = null;

  constructor(name: string, subject: string, metered: boolean, { timeout, signal, fuel }: CallOptions) {
    this.name = name;
    this.#metered = metered;
    this.#budget = fuel ?? null;
    let end: (error: FiberError) => void = () => {};
    this.ended = new Promise((_, reject) => {
      end = reject;
    });
    this.ended.catch(() => {});
    this.#end = end;
    if (timeout !== undefined) {
      this.#timer = setTimeout(() => {
        this.end(new FiberError('TIMEOUT', `${subject}: ${name} did not end within ${timeout} ms.`));
      }, timeout);
    }
    if (signal === undefined) return;
    const abort = (): void => {
      this.end(new FiberError('CANCELLED', `${subject}: ${name} was cancelled.`, { cause: signal.reason }));
    };
    if (signal.aborted) abort();
    else {
      signal.addEventListener('abort', abort, { once: true });
      this.#unsubscribe = () => signal.removeEventListener('abort', abort);
    }
  }

  /** Why the call has ended before its time; null if it has not. */
  get error(): FiberError | null {
    return this.#error;
  }

  /** Ends the call before its time. No code of the guest runs before this returns. */
  end(error: FiberError): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.#end(error);
    for (const fiber of this.#fibers) fiber.cancel(error);
  }

  /**
   * Runs an export of the guest as a fiber of this call.
   *
   * @param parent the fiber of this call in whose place it runs, if one waits for it
   */
  async run(guest: Guest, name: string, args: readonly unknown[], parent: Fiber | null = null): Promise<unknown> {
    if (this.#error !== null) throw this.#error;
    // Nothing is left where a function before this one has used up all: it ends where it begins.
    const left = this.#budget === null ? null : Math.max(1, this.#budget - this.#spent());
    const fiber = guest.spawn(name, [...args], {
      name: name === this.name ? name : `${name} for ${this.name}`,
      ...(parent !== null && { parent }),
      ...(this.#metered && meteredFiber(left)),
    });
    this.#begun = true;
    this.#fibers.add(fiber);
    try {
      return await fiber.result;
    } catch (error) {
      // Nothing has been paid: no code of the guest has run.
      if (this.#metered && error instanceof TypeError && fiber.fuel === 0) this.refusal = error;
      throw this.#error ?? error;
    } finally {
      this.#fibers.delete(fiber);
      const { fuel, slices, guestMs } = consumptionOf(fiber);
      this.fuel += fuel;
      this.slices += slices;
      this.guestMs += guestMs;
    }
  }

  /** Has any code of the guest been called? If not, another instance may do it instead. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Do fibers of this call still live? */
  get lives(): boolean {
    return this.#fibers.size > 0;
  }

  owns(fiber: Fiber): boolean {
    return this.#fibers.has(fiber);
  }

  /** Nothing will end the call any more. */
  close(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#unsubscribe?.();
  }

  #spent(): number {
    let spent = this.fuel;
    for (const fiber of this.#fibers) spent += consumptionOf(fiber).fuel;
    return spent;
  }
}
