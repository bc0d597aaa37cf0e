/**
 * `assemblyscript-json` from npm, as it is: a parser which calls a handler for all that it reads, and knows nothing of
 * waiting. The handler waits: it asks the host for what a reference stands for, and goes on parsing there, while the parser
 * stands on the stack in the middle of the document.
 */
import { JSONDecoder, JSONHandler } from 'assemblyscript-json/assembly/decoder';
import { JSONEncoder } from 'assemblyscript-json/assembly/encoder';

/** The JSON text that a reference stands for. */
// @ts-ignore: decorator
@suspending
@external('services', 'lookUp')
declare function lookUp(reference: string): string;

/** An amount of euro cents in another currency. */
// @ts-ignore: decorator
@suspending
@external('services', 'exchange')
declare function exchange(cents: i64, currency: string): i64;

const PREFIX = 'ref:';
const MAX_DEPTH = 8;

enum Inside {
  Nothing,
  Object,
  Array,
}

/** Writes what it is told of, with the value of each reference in its place, and all amounts in one currency. */
class Resolver extends JSONHandler {
  private readonly nesting: Inside[] = [Inside.Nothing];

  /** @param name of the value to be written, if it is a member of an object */
  constructor(
    private readonly out: JSONEncoder,
    private readonly name: string,
    private readonly currency: string,
    private readonly depth: i32,
  ) {
    super();
  }

  setString(name: string, value: string): void {
    const key = this.key(name);
    if (!value.startsWith(PREFIX)) this.out.setString(key, value);
    else {
      assert(this.depth < MAX_DEPTH, 'references to references to references: ' + value);
      const target = lookUp(value.substring(PREFIX.length));
      parse(target, new Resolver(this.out, key, this.currency, this.depth + 1));
    }
  }

  setInteger(name: string, value: i64): void {
    const key = this.key(name);
    this.out.setInteger(key, key == 'cents' ? exchange(value, this.currency) : value);
  }

  setFloat(name: string, value: f64): void {
    this.out.setFloat(this.key(name), value);
  }

  setBoolean(name: string, value: bool): void {
    this.out.setBoolean(this.key(name), value);
  }

  setNull(name: string): void {
    this.out.setNull(this.key(name));
  }

  pushObject(name: string): bool {
    const key = this.key(name);
    this.nesting.push(Inside.Object);
    return this.out.pushObject(key);
  }

  popObject(): void {
    this.nesting.pop();
    this.out.popObject();
  }

  pushArray(name: string): bool {
    const key = this.key(name);
    this.nesting.push(Inside.Array);
    return this.out.pushArray(key);
  }

  popArray(): void {
    this.nesting.pop();
    this.out.popArray();
  }

  /** The parser tells the last name that it has read, also where a value has none. */
  private key(name: string): string {
    const inside = this.nesting[this.nesting.length - 1];
    if (inside == Inside.Object) return name;
    return inside == Inside.Array ? '' : this.name;
  }
}

function parse(json: string, handler: Resolver): void {
  new JSONDecoder<Resolver>(handler).deserialize(Uint8Array.wrap(String.UTF8.encode(json)));
}

/** A JSON document without references, and with its amounts in a currency. */
export function resolve(json: string, currency: string): string {
  const out = new JSONEncoder();
  parse(json, new Resolver(out, '', currency, 0));
  return out.toString();
}
