/**
 * One run of a script, with all its modules in one form: as they are, or instrumented. Says of every command what happened, and
 * leaves it to others to judge.
 */
import binaryen from 'binaryen';
import { FiberError, instrument } from '../../../host/instrument/index.ts';
import type { InstrumentResult } from '../../../host/instrument/index.ts';
import { analyse } from '../../../host/instrument/binary/analysis.ts';
import { readOutline } from '../../../host/instrument/binary/module.ts';
import type { Binaryen } from '../../../host/instrument/binaryen.ts';
import { chooseFeatures } from '../../../host/instrument/features.ts';
import { refusal } from '../outcome.ts';
import { Random } from '../random.ts';
import { LEVELS, WAYS } from '../variants.ts';
import type { Level, Way } from '../variants.ts';
import { assembleText } from '../wat.ts';
import { describeModule, fiberInstance, plainInstance } from './instances.ts';
import type { Instance, Prepared } from './instances.ts';
import { addProbes, PROOF, REACHES } from './probes.ts';
import type { Reach } from './probes.ts';
import { spectest } from './spectest.ts';
import type { Constants, Value } from './values.ts';
import type { Action, Command, ModuleSource } from './wast.ts';

/** How modules are instrumented; without a way they are not, and only optimised by Binaryen. */
export interface Form {
  readonly level: Level;
  readonly way: Way | null;
}

export type Happened =
  | { readonly kind: 'returned'; readonly values: readonly Value[]; readonly doubt?: string }
  | {
      readonly kind: 'failed';
      readonly how: 'trap' | 'exhaustion' | 'exception' | 'unlinkable' | 'error';
      readonly error: string;
      /** Why it may not be what it would have been. */
      readonly doubt?: string;
    }
  /** Done, and nothing to be seen. */
  | { readonly kind: 'done' }
  /** Could not be tried, which proves nothing. */
  | { readonly kind: 'impossible'; readonly why: string };

const DONE: Happened = { kind: 'done' };

/** A module that could not be had; so can no other that imports from it. */
interface Missing {
  readonly why: string;
}

export class World {
  waits = 0;
  readonly #form: Form | null;
  readonly #constants: Constants;
  readonly #random: Random;
  readonly #named = new Map<string, Instance | Missing>();
  readonly #registered = new Map<string, Instance | Missing>();
  readonly #definitions = new Map<string | null, ModuleSource>();
  /** What modules that could not be had would have shared, and might have changed. */
  readonly #doubtful = new Map<Instance, string>();
  #last: Instance | Missing = { why: 'there is no module yet' };
  #modules = 0;

  /** @param form null: as they are */
  constructor(form: Form | null, constants: Constants, seed: string) {
    this.#form = form;
    this.#constants = constants;
    this.#random = new Random(seed);
    this.#registered.set('spectest', spectest());
  }

  async run(command: Command): Promise<Happened> {
    switch (command.type) {
      case 'module':
        return this.#define(command.name, command.source);
      case 'definition':
        this.#definitions.set(command.name, command.source);
        this.#definitions.set(null, command.source);
        return DONE;
      case 'instance': {
        const source = this.#definitions.get(command.of);
        if (source === undefined) return { kind: 'impossible', why: 'no such definition' };
        return this.#define(command.name, source);
      }
      case 'register':
        this.#registered.set(command.as, this.#find(command.name));
        return DONE;
      case 'action':
      case 'returns':
        return this.#act(command.action, 0.5);
      case 'fails':
        // What is deep must not be unwound at each step.
        return this.#act(command.action, command.how === 'exhaustion' ? 0.0005 : 0.5);
      case 'unlinked':
        return this.#attempt(async () => {
          const made = await this.#instantiate(command.source, command.how === 'unlinkable');
          return 'why' in made ? { kind: 'impossible', why: made.why } : DONE;
        });
      default:
        return { kind: 'impossible', why: `${command.what || 'an annotation'}: nothing runs` };
    }
  }

  async #define(name: string | null, source: ModuleSource): Promise<Happened> {
    let made: Instance | Missing = { why: 'the module could not be instantiated' };
    const happened = await this.#attempt(async () => {
      made = await this.#instantiate(source);
      return 'why' in made ? { kind: 'impossible', why: made.why } : DONE;
    });
    this.#last = made;
    if (name !== null) this.#named.set(name, made);
    return happened;
  }

  async #instantiate(source: ModuleSource, isToFail = false): Promise<Instance | Missing> {
    const random = this.#random.fork(`module ${this.#modules++}`);
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = source.kind === 'binary' ? source.bytes : assembleText(source.text);
    } catch {
      return { why: 'the assembler does not know the text' };
    }
    if (!WebAssembly.validate(bytes)) return { why: 'the engine does not accept the module' };
    const registry = new Map<string, Instance>();
    const lacks = new Map<string, Missing>();
    for (const [name, each] of this.#registered) {
      if ('why' in each) lacks.set(name, each);
      else registry.set(name, each);
    }
    const lacking = describeModule(bytes).imports.find((each) => lacks.has(each.module));
    if (lacking !== undefined) return { why: lacks.get(lacking.module)?.why ?? '' };
    const form = this.#form;
    if (form === null) return plainInstance(describeModule(addProbes(bytes, 'everywhere', random)), registry);
    if (form.way === null)
      return plainInstance(optimised(addProbes(bytes, 'everywhere', random), form.level), registry);
    const { module, result, why } = await prepareFibers(bytes, form.level, form.way, random);
    if (result === null) {
      for (const each of module.imports) {
        const shared = registry.get(each.module);
        if (shared !== undefined) this.#doubtful.set(shared, why);
      }
      return { why };
    }
    if (isToFail && !keepsImports(module, result))
      return { why: 'the optimiser has removed an import that nothing uses' };
    const windowSize = random.pick([64, 256, 1024, 4096]);
    return fiberInstance(module, result, registry, random.fork('waits'), windowSize);
  }

  #find(name: string | null): Instance | Missing {
    if (name === null) return this.#last;
    return this.#named.get(name) ?? { why: 'there is no such module' };
  }

  async #act({ kind, module, name, args }: Action, probability: number): Promise<Happened> {
    const instance = this.#find(module);
    if ('why' in instance) return { kind: 'impossible', why: instance.why };
    const values = args.map((each) => this.#constants.value(each));
    if (values.includes(null)) return { kind: 'impossible', why: 'JavaScript cannot make an argument' };
    const happened = await this.#attempt(async () => {
      if (kind === 'get') {
        const value = instance.get(name);
        if (value === null) return { kind: 'impossible', why: 'JavaScript cannot read the global' };
        return { kind: 'returned', values: [value] };
      }
      // None is null, see above.
      return { kind: 'returned', values: await instance.call(name, values as Value[], probability) };
    });
    this.waits += instance.room?.waits ?? 0;
    if (instance.room !== null) instance.room.waits = 0;
    const why = this.#doubtful.get(instance);
    if (why === undefined || (happened.kind !== 'returned' && happened.kind !== 'failed')) return happened;
    return { ...happened, doubt: `a module before it, which shares with it, could not be had: ${why}` };
  }

  async #attempt(work: () => Promise<Happened>): Promise<Happened> {
    try {
      return await work();
    } catch (error) {
      // The host of these tests waits wherever it may, as far as it can tell.
      if (error instanceof FiberError && error.code === 'HOST_FRAME')
        return {
          kind: 'impossible',
          why: 'a wait behind an import that is a function of another guest is refused (HOST_FRAME)',
        };
      const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      return { kind: 'failed', how: howItFailed(error), error: text };
    }
  }
}

function howItFailed(error: unknown): (Happened & { kind: 'failed' })['how'] {
  const { Exception } = WebAssembly as typeof WebAssembly & { readonly Exception?: new () => object };
  if (error instanceof RangeError) return 'exhaustion';
  if (error instanceof WebAssembly.RuntimeError) return 'trap';
  if (error instanceof WebAssembly.LinkError) return 'unlinkable';
  if (Exception !== undefined && error instanceof Exception) return 'exception';
  if (error instanceof FiberError) {
    if (error.code === 'MISSING_IMPORTS') return 'unlinkable';
    if (error.code === 'STACK_OVERFLOW' || error.code === 'DEPTH_LIMIT') return 'exhaustion';
  }
  // The engine, of an import that there is not.
  return error instanceof TypeError && /Import #\d+/.test(error.message) ? 'unlinkable' : 'error';
}

function keepsImports({ imports }: Prepared, { wasm }: InstrumentResult): boolean {
  const kept = describeModule(wasm as Uint8Array<ArrayBuffer>).imports;
  const has = (wanted: Prepared['imports'][number]): boolean =>
    kept.some(({ module, name }) => module === wanted.module && name === wanted.name);
  return imports.every((each) => each.module === PROOF || has(each));
}

/** What Binaryen makes of a module by itself. */
function optimised(wasm: Uint8Array<ArrayBuffer>, level: Level): Prepared {
  const outline = readOutline(wasm);
  const features = chooseFeatures(binaryen as unknown as Binaryen, outline, analyse(outline));
  const { optimizeLevel = 0, shrinkLevel = 0 } = LEVELS[level];
  // It takes the features, which its declaration leaves out.
  const read: (wasm: Uint8Array, features: number) => binaryen.Module = binaryen.readBinary;
  const module = read(wasm, features);
  try {
    module.setFeatures(features);
    binaryen.setOptimizeLevel(optimizeLevel);
    binaryen.setShrinkLevel(shrinkLevel);
    if (optimizeLevel > 0) module.optimize();
    return describeModule(Uint8Array.from(module.emitBinary()));
  } finally {
    module.dispose();
  }
}

/** Instruments a module with pauses in it: everywhere, or as far as it is not refused. */
async function prepareFibers(
  bytes: Uint8Array<ArrayBuffer>,
  level: Level,
  way: Way,
  random: Random,
): Promise<{ module: Prepared; result: InstrumentResult | null; why: string }> {
  let why = '';
  for (const reach of REACHES) {
    const module = describeModule(addProbes(bytes, reach as Reach, random));
    const functions = module.imports.filter((each) => each.kind === 'function');
    try {
      const result = await instrument(module.wasm, {
        suspending: functions
          .filter(({ module, name }) => module !== PROOF || name === 'pause')
          .map(({ module, name }) => `${module}.${name}`),
        allocator: ['proof.alloc', 'proof.free'],
        shadowStack: 'none',
        debugNames: random.chance(0.5),
        ...LEVELS[level],
        ...WAYS[way],
      });
      return { module, result, why };
    } catch (error) {
      const refused = refusal(error);
      if (refused === null) throw error;
      // What it was refused for at first, since that is what the tests are about.
      if (why === '') why = refused;
    }
  }
  return { module: describeModule(bytes), result: null, why };
}
