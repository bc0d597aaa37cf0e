/**
 * Tasks as asynchronous JavaScript: what one pays who writes the same in the host's language. The channel and the lock are
 * as small as they can be and still serve those who wait in the order of their arrival.
 */
import type { Driver } from './driver.ts';

class Channel {
  readonly #values: number[] = [];
  readonly #senders: { value: number; resolve: () => void }[] = [];
  readonly #receivers: ((value: number | null) => void)[] = [];
  readonly #capacity: number;
  #closed = false;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  async send(value: number): Promise<void> {
    const receiver = this.#receivers.shift();
    if (receiver !== undefined) return receiver(value);
    if (this.#values.length < this.#capacity) return void this.#values.push(value);
    return new Promise((resolve) => this.#senders.push({ value, resolve }));
  }

  async receive(): Promise<number | null> {
    const value = this.#values.shift();
    const sender = this.#senders.shift();
    sender?.resolve();
    if (value !== undefined) {
      if (sender !== undefined) this.#values.push(sender.value);
      return value;
    }
    if (sender !== undefined) return sender.value;
    if (this.#closed) return null;
    return new Promise((resolve) => this.#receivers.push(resolve));
  }

  close(): void {
    this.#closed = true;
    for (const receiver of this.#receivers.splice(0)) receiver(null);
  }
}

class Lock {
  #locked = false;
  readonly #waiting: (() => void)[] = [];

  async acquire(): Promise<void> {
    if (this.#locked) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#locked = true;
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#locked = false;
    else next();
  }
}

const same = async (x: number): Promise<number> => x;

async function yielding(times: number): Promise<void> {
  for (let i = 0; i < times; i++) await undefined;
}

async function sending(channel: Channel, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await channel.send(i);
  channel.close();
}

async function locking(lock: Lock, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await lock.acquire();
    await undefined;
    lock.release();
  }
}

export const tasks: Driver = {
  joins: async () => async (times) => {
    let sum = 0;
    for (let i = 0; i < times; i++) sum = (sum + (await same(i))) | 0;
    return sum;
  },
  yields: async () => (times) => Promise.all([yielding(times >> 1), yielding(times >> 1)]),
  messages: async (capacity) => async (times) => {
    const channel = new Channel(capacity);
    void sending(channel, times);
    let sum = 0;
    for (let next = await channel.receive(); next !== null; next = await channel.receive()) sum = (sum + next) | 0;
    return sum;
  },
  handovers: async () => (times) => {
    const lock = new Lock();
    return Promise.all([locking(lock, times >> 1), locking(lock, times >> 1)]);
  },
};
