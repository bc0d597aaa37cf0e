/** Work for others to do: first in, first out. */
import { Deque } from './deque';
import { Result, failed, succeeded } from './result';
import { put, take } from './storage';
import { AnyTask, currentTask } from './task';
import { Line, PlainWaiter, Waiter, checkTime, label } from './waiter';

/**
 * A queue of items, bounded or not. Who gets from an empty one waits, who puts into a full one waits, each in the order of
 * arrival. `join` waits until everything that was put has been dealt with.
 *
 * ```ts
 * const urls = new Queue<string>(100);
 *
 * function worker(id: i32): void {
 *   for (;;) {
 *     crawl(urls.get());
 *     urls.taskDone();
 *   }
 * }
 *
 * urls.put('https://example.org');
 * urls.join();
 * ```
 *
 * An item that was about to be given to a task that is cancelled in the same moment goes back to the front.
 */
export class Queue<T> {
  private items: Deque<T> = new Deque<T>();
  private getters: Line = new Line();
  private putters: Line = new Line();
  private joiners: Line = new Line();
  private unfinished: i32 = 0;

  /**
   * @param capacity items at most; 0 (the default) is no limit
   * @param name for people
   */
  constructor(
    readonly capacity: i32 = 0,
    readonly name: string = '',
  ) {}

  /** How many items there are. */
  get size(): i32 {
    return this.items.length;
  }

  get empty(): bool {
    return this.items.length == 0;
  }

  get full(): bool {
    return this.capacity > 0 && this.items.length >= this.capacity;
  }

  /** Waits for room and adds an item. */
  put(item: T): void {
    if (this.full) this.waitToPut(item, -1);
    else this.add(item);
  }

  /**
   * Adds an item if there is room within `timeout` milliseconds.
   *
   * @param timeout in milliseconds; 0 (the default) only tries
   * @returns whether it was added
   */
  tryPut(item: T, timeout: f64 = 0): bool {
    checkTime(timeout);
    if (this.full) return timeout != 0 && this.waitToPut(item, timeout);
    this.add(item);
    return true;
  }

  /** Waits for an item and takes it. */
  get(): T {
    if (this.items.length > 0) return this.remove();
    const waiter = new GetWaiter<T>(currentTask(), this);
    this.getters.add(waiter);
    waiter.park(-1);
    return take<T>(waiter);
  }

  /**
   * Takes an item if there is one within `timeout` milliseconds.
   *
   * ```ts
   * const next = urls.tryGet();
   * if (next.ok) crawl(next.value);
   * ```
   *
   * @param timeout in milliseconds; 0 (the default) only tries
   * @returns the item, or the failure `EMPTY`
   */
  tryGet(timeout: f64 = 0): Result<T> {
    checkTime(timeout);
    if (this.items.length > 0) return succeeded<T>(this.remove());
    if (timeout != 0) {
      const waiter = new GetWaiter<T>(currentTask(), this);
      this.getters.add(waiter);
      if (waiter.park(timeout)) return succeeded<T>(take<T>(waiter));
    }
    return failed<T>('EMPTY', label('queue', this.name) + ' has no item');
  }

  /** One of the items that were got has been dealt with. */
  taskDone(): void {
    if (this.unfinished == 0) throw new Error('taskDone was called more often than items were put');
    if (--this.unfinished > 0) return;
    for (let waiter = this.joiners.first; waiter; waiter = this.joiners.first) waiter.grant();
  }

  /**
   * Waits until `taskDone` was called for each item that was put.
   *
   * @param timeout in milliseconds; a negative number (the default) is no limit
   * @returns whether that is so
   */
  join(timeout: f64 = -1): bool {
    checkTime(timeout);
    if (this.unfinished == 0) return true;
    if (timeout == 0) return false;
    const waiter = new PlainWaiter(currentTask(), 'the end of ' + label('queue', this.name));
    this.joiners.add(waiter);
    return waiter.park(timeout);
  }

  /** @internal An item that could not be delivered. */
  putBack(item: T): void {
    if (!this.give(item)) this.items.unshift(item);
  }

  private add(item: T): void {
    this.unfinished++;
    if (!this.give(item)) this.items.push(item);
  }

  private give(item: T): bool {
    const getter = this.getters.first;
    if (!getter) return false;
    put<T>(getter, item);
    getter.grant();
    return true;
  }

  private remove(): T {
    const item = this.items.shift();
    const putter = this.putters.first;
    if (putter && !this.full) {
      this.add(take<T>(putter));
      putter.grant();
    }
    return item;
  }

  private waitToPut(item: T, ms: f64): bool {
    const waiter = new PutWaiter(currentTask(), 'room in ' + label('queue', this.name));
    put<T>(waiter, item);
    this.putters.add(waiter);
    return waiter.park(ms);
  }
}

/** Holds the item that it waits to add. */
class PutWaiter extends PlainWaiter {}

/** Is given the item that it waits for. */
class GetWaiter<T> extends Waiter {
  constructor(
    task: AnyTask,
    private readonly queue: Queue<T>,
  ) {
    super(task);
  }

  describe(): string {
    return 'an item of ' + label('queue', this.queue.name);
  }

  abandoned(): void {
    if (this.granted) this.queue.putBack(take<T>(this));
    else this.leave();
  }
}
