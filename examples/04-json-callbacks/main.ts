// A synchronous parser from npm, unchanged, whose callbacks wait: references in a JSON document are looked up, and amounts
// converted, while the document is parsed. Then many documents at once, in one instance.
//
//   npm run example 04
//   npm run example 04 -- --orders 100 --latency 50
import { readNumbers } from '../arguments.ts';
import { instantiate } from './resolve-json.js';
import { Services, order } from './services.ts';

/** The latency is that of each answer of a service, in milliseconds. */
const { orders, latency } = readNumbers({ orders: 20, latency: 15 });
const services = new Services(latency);

const indented = (json: string): string => JSON.stringify(JSON.parse(json), null, 2).replaceAll(/^/gm, '  ');
const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`;

const { lookUp, exchange } = services;
await using guest = await instantiate({ services: { lookUp, exchange } });

console.log(`An order:\n\n${indented(order(1))}\n`);
console.log(
  `The parser has called back, the callbacks have waited:\n\n${indented(await guest.exports.resolve(order(1), 'CHF'))}\n`,
);

const documents = Array.from({ length: orders }, (_, i) => order(i + 1));

let start = performance.now();
const alone: string[] = [];
for (const each of documents) alone.push(await guest.exports.resolve(each, 'GBP'));
console.log(
  `  one after another  ${orders} orders in ${seconds(performance.now() - start)}, ${services.peak} question at a time`,
);

const before = services.asked;
start = performance.now();
const together = await Promise.all(documents.map((each) => guest.exports.resolve(each, 'GBP')));
const took = performance.now() - start;
console.log(
  `  at once            ${orders} orders in ${seconds(took)}, up to ${services.peak} of ${services.asked - before} questions at a time`,
);
const same = together.filter((each, i) => each === alone[i]).length;
console.log(`  results            ${same} of ${orders} are the same`);

// The language of the guest cannot catch: what a callback's question fails with, the caller of the parser gets.
const failed = await guest.exports
  .resolve('{"customer":"ref:customers/99"}', 'EUR')
  .catch((error: unknown) => String(error));
console.log(`  a bad reference    ${failed}`);

if (same !== orders) process.exitCode = 1;
