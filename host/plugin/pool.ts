/**
 * The instances of one version of a plugin. Without a number of instances there is one, in which calls run as fibers beside each
 * other; with a number, each instance has one call at a time, and calls beyond wait for one, in the order of their arrival.
 *
 * A version that was replaced gets no new calls; it is gone when the last one has ended.
 */
import { FiberError } from '../errors.ts';
import type { Call } from './call.ts';
import { type Environment, Instance } from './instance.ts';
import { limitReached } from './limits.ts';

interface Waiter {
  readonly take: (instance: Instance) => void;
  readonly fail: (error: unknown) => void;
}

export class Pool {
  readonly environment: Environment;
  /** Null for one instance that all calls share. */
  readonly #most: number | null;
  readonly #instances = new Set<Instance>();
  readonly #busy = new Set<Instance>();
  readonly #waiters: Waiter[] = [];
  /** Instances that are being made. */
  #making = 0;
  #shared: Promise<Instance> | null = null;
  #retired = false;
  readonly #controller = new AbortController();
  /** Resolves once everything has been disposed of. */
  readonly gone: Promise<void>;
  #settleGone: () => void = () => {};

  constructor(environment: Environment, most: number | null) {
    this.environment = environment;
    this.#most = most;
    this.gone = new Promise((resolve) => {
      this.#settleGone = resolve;
    });
  }

  /** How many instances there are. */
  get size(): number {
    return this.#instances.size;
  }

  /** Notes how much memory the instances have. */
  look(): void {
    for (const instance of this.#instances) this.environment.statistics.sawMemory(instance.memoryBytes);
  }

  /** Makes the first instance, so that what is wrong with the plugin is known when it is loaded. */
  async open(): Promise<void> {
    const first = await this.#make();
    if (this.#most === null) this.#shared = Promise.resolve(first);
  }

  /**
   * An instance for a call; give it back by `release`.
   *
   * @throws FiberError `DISPOSED`, also for a call that had one before, which was spoilt, and whose plugin was disposed of meanwhile
   */
  async acquire(call: Call): Promise<Instance> {
    // Nobody makes an instance for one who would wait now.
    this.#controller.signal.throwIfAborted();
    if (this.#most === null) return Promise.race([this.#acquireShared(), call.ended]);
    this.#dropSpoilt();
    const free = [...this.#instances].find((each) => !this.#busy.has(each));
    if (free !== undefined) {
      this.#busy.add(free);
      return free;
    }
    const waiting = new Promise<Instance>((take, fail) => {
      const waiter: Waiter = { take, fail };
      this.#waiters.push(waiter);
      call.ended.catch((error: unknown) => {
        const at = this.#waiters.indexOf(waiter);
        if (at >= 0) this.#waiters.splice(at, 1);
        fail(error);
      });
    });
    this.#makeForWaiters();
    return waiting;
  }

  /** After a call: the instance may be used again once the call has left it. */
  release(instance: Instance): void {
    const free = (): void => {
      if (this.#most === null) return this.#endIfIdle();
      this.#busy.delete(instance);
      if (this.#retired || instance.spoilt !== null) this.#dropSpoilt();
      else this.#serve(instance);
      this.#makeForWaiters();
      this.#endIfIdle();
    };
    if (instance.idle) free();
    else void instance.whenIdle().then(free);
  }

  /** No further call comes: what runs may end, and then all is disposed of. */
  retire(): void {
    this.#retired = true;
    this.#endIfIdle();
  }

  /** Ends everything now. */
  async dispose(): Promise<void> {
    this.#retired = true;
    const error = new FiberError('DISPOSED', `${this.environment.subject} was disposed of.`);
    this.#controller.abort(error);
    for (const { fail } of this.#waiters.splice(0)) fail(error);
    await Promise.all([...this.#instances].map((each) => each.dispose()));
    this.#instances.clear();
    this.#settleGone();
  }

  async #acquireShared(): Promise<Instance> {
    for (;;) {
      this.#shared ??= this.#make();
      const current = this.#shared;
      let instance: Instance;
      try {
        instance = await current;
      } catch (error) {
        // The next call tries again.
        if (this.#shared === current) this.#shared = null;
        throw error;
      }
      if (instance.spoilt === null) return instance;
      if (this.#shared === current) {
        this.#shared = null;
        this.environment.statistics.restarts += 1;
        this.#instances.delete(instance);
        void instance.dispose();
      }
    }
  }

  #makeForWaiters(): void {
    const most = this.#most ?? 0;
    while (this.#waiters.length > this.#making && this.#instances.size + this.#making < most) {
      void this.#make().then(
        (instance) => this.#serve(instance),
        (error: unknown) => this.#waiters.shift()?.fail(error),
      );
    }
  }

  #serve(instance: Instance): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) return;
    this.#busy.add(instance);
    waiter.take(instance);
  }

  async #make(): Promise<Instance> {
    const { subject, limits } = this.environment;
    this.#making += 1;
    const deadline = new AbortController();
    const { signal } = this.#controller;
    const timer = setTimeout(() => {
      deadline.abort(limitReached('loadMs', `${subject} was not ready within ${limits.loadMs} ms, the limit loadMs.`));
    }, limits.loadMs);
    const stop = (): void => deadline.abort(signal.reason);
    signal.addEventListener('abort', stop);
    try {
      signal.throwIfAborted();
      const instance = await untilAborted(Instance.create(this.environment, deadline.signal), deadline.signal);
      if (this.#controller.signal.aborted) {
        void instance.dispose();
        throw this.#controller.signal.reason;
      }
      this.#instances.add(instance);
      return instance;
    } finally {
      // From here on the instance is disposed of by name.
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      this.#making -= 1;
    }
  }

  #dropSpoilt(): void {
    for (const instance of this.#instances) {
      if (this.#busy.has(instance) || instance.spoilt === null) continue;
      this.#instances.delete(instance);
      this.environment.statistics.restarts += 1;
      void instance.dispose();
    }
  }

  #endIfIdle(): void {
    if (!this.#retired || this.#waiters.length > 0 || this.#making > 0) return;
    if ([...this.#instances].some((each) => !each.idle || this.#busy.has(each))) return;
    void this.dispose();
  }
}

/** Does not wait for what does not end: whoever makes it is told to stop by the same signal. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
