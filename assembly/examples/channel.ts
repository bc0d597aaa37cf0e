/**
 * A producer that is faster than its consumers, and a channel between them with room for a few values. When that is used
 * up, `send` waits: so the producer gets no further ahead than the channel allows, and nobody had to program it.
 */
import { Channel, Task, gather, sleep, spawn } from 'wasm-fibers/assembly';

/** What a task is at, for the picture. */
export enum Activity {
  Working,
  /** The producer has something to send, and there is no room. */
  Full,
  /** A consumer is there, and has nothing to do. */
  Empty,
  Done,
}

/** Tells the host what a task does from now on, and how many values are on their way; waits for nothing. */
@external('picture', 'show')
declare function show(who: string, activity: Activity, onTheWay: i32): void;

class Line {
  readonly channel: Channel<i32>;

  constructor(
    readonly items: i32,
    capacity: i32,
    readonly produceMs: f64,
    readonly consumeMs: f64,
  ) {
    this.channel = new Channel<i32>(capacity, 'belt');
  }
}

class Seat {
  constructor(
    readonly line: Line,
    readonly name: string,
  ) {}
}

function produce(line: Line): i32 {
  const channel = line.channel;
  for (let i = 0; i < line.items; i++) {
    show('producer', Activity.Working, channel.size);
    sleep(line.produceMs);
    if (channel.size == channel.capacity) show('producer', Activity.Full, channel.size);
    channel.send(i);
  }
  // What is on its way still arrives; then every consumer is told that there is no more.
  channel.close();
  show('producer', Activity.Done, channel.size);
  return line.items;
}

function consume(seat: Seat): i32 {
  const line = seat.line;
  const channel = line.channel;
  let count = 0;
  for (;;) {
    if (channel.size == 0) show(seat.name, Activity.Empty, 0);
    const item = channel.receive();
    if (!item.ok) break;
    show(seat.name, Activity.Working, channel.size);
    // Some are more work than others: 0.7 to 1.3 times as much.
    sleep(line.consumeMs * (0.7 + 0.2 * f64(item.value % 4)));
    count++;
  }
  show(seat.name, Activity.Done, channel.size);
  return count;
}

/**
 * @param capacity how many items may be on their way
 * @param rest how long the consumers make the producer wait before the first of them comes, in milliseconds
 * @returns how many items each consumer got
 */
export function run(items: i32, capacity: i32, consumers: i32, produceMs: f64, consumeMs: f64, rest: f64): i32[] {
  const line = new Line(items, capacity, produceMs, consumeMs);
  const producer = spawn(produce, line, 'producer');
  sleep(rest);
  const tasks: Task<i32>[] = [];
  for (let i = 1; i <= consumers; i++) {
    const name = 'consumer ' + i.toString();
    tasks.push(spawn(consume, new Seat(line, name), name));
  }
  producer.result();
  return gather(tasks);
}
