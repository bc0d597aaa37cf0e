// What the guest asks for while it parses: things by their names, and an exchange rate. Each answer takes a while, as if it
// came from elsewhere.
import { setTimeout } from 'node:timers/promises';

const THINGS: Readonly<Record<string, unknown>> = {
  'customers/1': { name: 'Ada Lovelace', address: 'ref:addresses/1' },
  'customers/2': { name: 'Karl Müller', address: 'ref:addresses/2' },
  'addresses/1': { street: "12 St James's Square", country: 'ref:countries/gb' },
  'addresses/2': { street: 'Bahnhofstraße 1', country: 'ref:countries/ch' },
  'countries/gb': 'United Kingdom',
  'countries/ch': 'Switzerland',
  'articles/1': { title: 'Difference engine, used', cents: 129_900 },
  'articles/2': { title: 'Punched cards, 100', cents: 1_250 },
  'articles/3': { title: 'Lamp "Edison"', cents: 3_990 },
};
const RATES: Readonly<Record<string, number>> = { EUR: 1, GBP: 0.86, CHF: 0.94 };

/** Of an order from the same shelf; each number gives another. */
export function order(number: number): string {
  const items = [1, 2, 3].filter((article) => (number + article) % 3 !== 0);
  return JSON.stringify({
    order: 1000 + number,
    customer: `ref:customers/${1 + (number % 2)}`,
    items: items.map((article) => ({ amount: article * number, article: `ref:articles/${article}` })),
    shipping: { express: number % 2 === 0, cents: 490 },
  });
}

export class Services {
  readonly #latency: number;
  #current = 0;
  asked = 0;
  /** The most that were asked for at once. */
  peak = 0;

  /** @param latency of an answer, in milliseconds */
  constructor(latency: number) {
    this.#latency = latency;
  }

  readonly lookUp = async (reference: string): Promise<string> => {
    await this.#travel();
    const thing = THINGS[reference];
    if (thing === undefined) throw new Error(`there is nothing of the name ${reference}`);
    return JSON.stringify(thing);
  };

  readonly exchange = async (cents: bigint, currency: string): Promise<bigint> => {
    await this.#travel();
    const rate = RATES[currency];
    if (rate === undefined) throw new Error(`there is no rate for ${currency}`);
    return BigInt(Math.round(Number(cents) * rate));
  };

  async #travel(): Promise<void> {
    this.asked++;
    this.peak = Math.max(this.peak, ++this.#current);
    await setTimeout(this.#latency);
    this.#current--;
  }
}
