/**
 * Results of functions in globals, one for each place in a result and type: how a value passes between code that cannot call
 * each other. A function that was called by itself, without its callers (parts.ts), stores its result; the call that they
 * repeat later loads it.
 */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { Walker } from '../walk.ts';
import { zero } from './zero.ts';

export class Results {
  readonly #walker: Walker;
  readonly #module: BinaryenModule;
  readonly #globals = new Map<string, string>();

  constructor(walker: Walker, module: BinaryenModule) {
    this.#walker = walker;
    this.#module = module;
  }

  /** @param local of the function whose code it is, for a result of several values; @param type of `value`, not `none` */
  store(type: Ref, value: Ref, local: number): Ref {
    const { binaryen } = this.#walker.raw;
    const module = this.#module;
    const types = binaryen.expandType(type);
    if (types.length === 1) return module.global.set(this.#global(0, type), value);
    const stores = types.map((each, index) =>
      module.global.set(this.#global(index, each), module.tuple.extract(module.local.get(local, type), index)),
    );
    return module.block(null, [module.local.set(local, value), ...stores], binaryen.auto);
  }

  load(type: Ref): Ref {
    const types = this.#walker.raw.binaryen.expandType(type);
    const values = types.map((each, index) => this.#module.global.get(this.#global(index, each), each));
    const [only = 0] = values;
    return values.length === 1 ? only : this.#module.tuple.make(values);
  }

  #global(index: number, type: Ref): string {
    const key = `${index}.${type}`;
    let name = this.#globals.get(key);
    if (name === undefined) {
      name = `wasm-fibers.result.${key}`;
      this.#module.addGlobal(name, type, true, zero(this.#walker.raw.binaryen, this.#module, type));
      this.#globals.set(key, name);
    }
    return name;
  }
}
