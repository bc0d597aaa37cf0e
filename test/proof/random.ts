/**
 * Decisions that are the same for the same seed, on every machine. A stream that is forked off under a name depends on the
 * seed and the names alone, so that one more decision in one place changes none in another.
 */
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

type Generator = ReturnType<typeof xoroshiro128plus>;

export class Random {
  readonly #path: string;
  readonly #generator: Generator;

  constructor(seed: number | string) {
    this.#path = String(seed);
    this.#generator = xoroshiro128plus(hash(this.#path));
  }

  fork(name: string): Random {
    return new Random(`${this.#path}/${name}`);
  }

  /** 32 bits. */
  next(): number {
    return this.#generator.next() >>> 0;
  }

  below(limit: number): number {
    return this.next() % limit;
  }

  /** @param probability 0 to 1 */
  chance(probability: number): boolean {
    return this.next() < probability * 2 ** 32;
  }

  pick<T>(among: readonly [T, ...T[]]): T {
    return among[this.below(among.length)] ?? among[0];
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.next());
  }

  shuffled<T>(all: readonly [T, ...T[]]): [T, ...T[]];
  shuffled<T>(all: readonly T[]): T[];
  shuffled<T>(all: readonly T[]): T[] {
    return all
      .map((each) => ({ each, at: this.next() }))
      .sort((a, b) => a.at - b.at)
      .map(({ each }) => each);
  }
}

/** FNV-1a with the finish of MurmurHash 3: neighbouring seeds begin far from each other. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) h = Math.imul(h ^ text.charCodeAt(at), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
