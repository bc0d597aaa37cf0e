/** Values handed from task to task, with an end. */
import { Deque } from './deque';
import { Result, failed, succeeded } from './result';
import { put, take } from './storage';
import { AnyTask, currentTask } from './task';
import { Line, Waiter, checkTime, label } from './waiter';

/**
 * A channel from senders to receivers. Without room of its own (capacity 0) a value is handed over when both are there;
 * else so many values may be on their way. All wait in the order of their arrival.
 *
 * ```ts
 * const lines = new Channel<string>();
 *
 * function produce(count: i32): void {
 *   for (let i = 0; i < count; i++) lines.send(i.toString());
 *   lines.close();
 * }
 *
 * spawn(produce, 10);
 * for (let line = lines.receive(); line.ok; line = lines.receive()) console.log(line.value);
 * ```
 */
export class Channel<T> {
  private buffer: Deque<T> = new Deque<T>();
  private senders: Line = new Line();
  private receivers: Line = new Line();
  private isClosed: bool = false;

  /**
   * @param capacity values that may be on their way; 0 (the default) is none
   * @param name for people
   */
  constructor(
    readonly capacity: i32 = 0,
    readonly name: string = '',
  ) {}

  /** Was it closed? There may still be values to receive. */
  get closed(): bool {
    return this.isClosed;
  }

  /** Values on their way. */
  get size(): i32 {
    return this.buffer.length;
  }

  /**
   * Waits until the value has been taken, or has room.
   *
   * @returns false if the channel is closed, or is closed meanwhile: nobody gets the value
   */
  send(value: T): bool {
    return this.trySend(value, -1);
  }

  /**
   * The same for at most `timeout` milliseconds.
   *
   * @param timeout in milliseconds; 0 (the default) only tries, a negative number is no limit
   * @returns whether the value was taken or had room; `closed` tells why not
   */
  trySend(value: T, timeout: f64 = 0): bool {
    checkTime(timeout);
    if (this.isClosed) return false;
    if (this.give(value)) return true;
    if (this.buffer.length < this.capacity) {
      this.buffer.push(value);
      return true;
    }
    if (timeout == 0) return false;
    const waiter = new SendWaiter(currentTask(), label('channel', this.name));
    put<T>(waiter, value);
    this.senders.add(waiter);
    return waiter.park(timeout) && waiter.delivered;
  }

  /**
   * Waits for a value.
   *
   * @returns the value, or the failure `CLOSED` if the channel was closed and all values have been received
   */
  receive(): Result<T> {
    return this.tryReceive(-1);
  }

  /**
   * The same for at most `timeout` milliseconds.
   *
   * @param timeout in milliseconds; 0 (the default) only tries, a negative number is no limit
   * @returns the value, or the failure `CLOSED` or `EMPTY`
   */
  tryReceive(timeout: f64 = 0): Result<T> {
    checkTime(timeout);
    const sender = this.senders.first;
    if (this.buffer.length > 0) {
      const value = this.buffer.shift();
      if (sender && this.buffer.length < this.capacity) this.buffer.push(this.accept(sender));
      return succeeded<T>(value);
    }
    if (sender) return succeeded<T>(this.accept(sender));
    if (!this.isClosed && timeout != 0) {
      const waiter = new ReceiveWaiter<T>(currentTask(), this);
      this.receivers.add(waiter);
      if (waiter.park(timeout) && waiter.delivered) return succeeded<T>(take<T>(waiter));
    }
    return this.isClosed
      ? failed<T>('CLOSED', label('channel', this.name) + ' was closed')
      : failed<T>('EMPTY', label('channel', this.name) + ' has no value');
  }

  /**
   * No more values will come. What is on its way can still be received; those who wait to send are told that it was in
   * vain, those who wait to receive that there is no more.
   *
   * @returns false if it was closed before
   */
  close(): bool {
    if (this.isClosed) return false;
    this.isClosed = true;
    for (let waiter = this.receivers.first; waiter; waiter = this.receivers.first) waiter.grant();
    for (let waiter = this.senders.first; waiter; waiter = this.senders.first) waiter.grant();
    return true;
  }

  /** @internal A value that could not be delivered after all. */
  putBack(value: T): void {
    if (!this.give(value)) this.buffer.unshift(value);
  }

  private give(value: T): bool {
    const receiver = this.receivers.first;
    if (!receiver) return false;
    put<T>(receiver, value);
    changetype<ReceiveWaiter<T>>(receiver).delivered = true;
    receiver.grant();
    return true;
  }

  private accept(sender: Waiter): T {
    const value = take<T>(sender);
    changetype<SendWaiter>(sender).delivered = true;
    sender.grant();
    return value;
  }
}

/** Holds the value that it waits to hand over. */
class SendWaiter extends Waiter {
  delivered: bool = false;

  constructor(
    task: AnyTask,
    private readonly channel: string,
  ) {
    super(task);
  }

  describe(): string {
    return 'a receiver of ' + this.channel;
  }
}

/** Is given the value that it waits for. */
class ReceiveWaiter<T> extends Waiter {
  delivered: bool = false;

  constructor(
    task: AnyTask,
    private readonly channel: Channel<T>,
  ) {
    super(task);
  }

  describe(): string {
    return 'a value of ' + label('channel', this.channel.name);
  }

  abandoned(): void {
    if (this.granted && this.delivered) this.channel.putBack(take<T>(this));
    else this.leave();
  }
}
