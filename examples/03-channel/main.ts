// A producer and consumers with a channel between them, and what they do drawn as a picture: a producer that is too fast
// is held back by the channel, consumers that are too fast wait for it, and the end of the one ends the others.
//
//   npm run example 03
//   npm run example 03 -- --items 60 --capacity 8 --consumers 5
import { readNumbers } from '../arguments.ts';
import { Activity, instantiate } from './channel.js';
import { Picture } from './picture.ts';

const { items, capacity, consumers } = readNumbers({ items: 30, capacity: 4, consumers: 3 });
const isTerminal = process.stdout.isTTY === true && process.stdout.hasColors();

let picture = new Picture();
await using guest = await instantiate({
  picture: {
    // An enum of the guest is a number here.
    show: (who, activity, onTheWay) => picture.add(who, activity as Activity, onTheWay),
  },
});

/** Times in milliseconds: of an item at each end, and until there are any consumers. */
async function run(title: string, produceMs: number, consumeMs: number, rest: number): Promise<void> {
  picture = new Picture();
  const shares = await guest.exports.run(items, capacity, consumers, produceMs, consumeMs, rest);
  const percent = (who: string, activity: Activity): string => `${(100 * picture.share(who, activity)).toFixed(0)} %`;
  console.log(`\n${title}: an item takes the producer ${produceMs} ms, a consumer ${consumeMs} ms\n`);
  for (const line of picture.lines(isTerminal)) console.log(line);
  console.log(
    `\n  ${items} items, ${shares.join(' + ')}; at most ${picture.peak} of ${capacity} on the way; the producer was held back ` +
      `for ${percent('producer', Activity.Full)} of its time, consumer 1 had nothing to do for ${percent('consumer 1', Activity.Empty)}`,
  );
  if (shares.reduce((sum, share) => sum + share, 0) !== items || picture.peak > capacity) process.exitCode = 1;
}

const [working, full, empty] = isTerminal ? ['█', '▒', '·'] : ['#', '!', '.'];
console.log(`${working} works   ${full} wants to send, no room   ${empty} wants to receive, nothing there`);
await run('Too fast a producer', 12, 90, 180);
await run('Too fast consumers', 30, 40, 0);
