/**
 * The ways to run a module: as it is, with nothing that could wait; with the least that Binaryen's Asyncify needs, which is
 * one call at a time; and by this package. A module shows which one it is for.
 */
import { type Call, type Imports, instantiate, reentrant } from '../../host/index.ts';
import { SECTION } from '../../host/runtime/metadata.ts';
import type { Link, Linked, Nested } from './program.ts';

export type LinkKind = 'source' | 'asyncify' | 'fibers';

/** Bytes for the frames of plain Asyncify; the deepest stack of the programs takes less. */
const ROOM = 1 << 20;
/** Bytes of a fiber's shadow stack: interpreters take more than the default. */
const STACK = 1 << 20;

type GuestFunction = (...args: unknown[]) => unknown;
/** Makes the promise-returning function that is called in the place of an export. */
type Wrap = (fn: GuestFunction) => (...args: unknown[]) => Promise<unknown>;

export function kindOf(module: WebAssembly.Module): LinkKind {
  if (WebAssembly.Module.customSections(module, SECTION).length > 0) return 'fibers';
  const unwinds = WebAssembly.Module.exports(module).some(({ name }) => name === 'asyncify_start_unwind');
  return unwinds ? 'asyncify' : 'source';
}

/** @param allocate the export that gives memory */
export function linkTo(module: WebAssembly.Module, allocate: string): Link {
  const kind = kindOf(module);
  if (kind === 'fibers') return fibers(module);
  return kind === 'asyncify' ? asyncify(module, allocate) : source(module);
}

function fibers(module: WebAssembly.Module): Link {
  return {
    reentrant,
    async instantiate<E>(imports: Imports): Promise<Linked<E>> {
      const { exports, sync, memory } = await instantiate<E>(module, imports, {
        backend: 'auto',
        stackSize: STACK,
      });
      return { exports, sync, memory };
    },
  };
}

function source(module: WebAssembly.Module): Link {
  return {
    reentrant: (fn) => atOnce(fn, () => false),
    async instantiate<E>(imports: Imports): Promise<Linked<E>> {
      const instance = await WebAssembly.instantiate(module, imports as WebAssembly.Imports);
      return linked<E>(
        instance,
        imports,
        (fn) =>
          async (...args) =>
            fn(...args),
      );
    },
  };
}

function asyncify(module: WebAssembly.Module, allocate: string): Link {
  /** What the call waits for. */
  let awaited: Promise<unknown> | null = null;
  let rewinding = false;
  let value: unknown;
  let header = 0;
  const trampolines = new WeakSet<object>();
  return {
    reentrant(fn) {
      const trampoline = atOnce(fn, () => awaited !== null);
      trampolines.add(trampoline);
      return trampoline;
    },
    async instantiate<E>(imports: Imports): Promise<Linked<E>> {
      const control = (name: string, ...args: number[]): unknown => (raw[name] as GuestFunction)(...args);
      const wait =
        (fn: GuestFunction): GuestFunction =>
        (...args) => {
          if (rewinding) {
            rewinding = false;
            control('asyncify_stop_rewind');
            return value;
          }
          const result = fn(...args);
          if (!(result instanceof Promise)) return result;
          header ||= Number(control(allocate, ROOM));
          new Int32Array(guest.memory.buffer).set([header + 8, header + ROOM], header >> 2);
          control('asyncify_start_unwind', header);
          awaited = result;
          return 0;
        };
      const wrapped = mapImports(imports, (item) =>
        typeof item !== 'function' || trampolines.has(item) ? item : wait(item as GuestFunction),
      );
      const instance = await WebAssembly.instantiate(module, wrapped as WebAssembly.Imports);
      const raw = instance.exports;
      const guest = linked<E>(instance, imports, (fn) => async (...args) => {
        let result = fn(...args);
        while (awaited !== null) {
          control('asyncify_stop_unwind');
          value = await awaited;
          awaited = null;
          rewinding = true;
          control('asyncify_start_rewind', header);
          result = fn(...args);
        }
        return result;
      });
      return guest;
    },
  };
}

function mapImports(imports: Imports, change: (item: unknown) => unknown): Record<string, Record<string, unknown>> {
  const ofModule = (items: Imports[string]): Record<string, unknown> =>
    Object.fromEntries(Object.entries(items).map(([name, item]) => [name, change(item)]));
  return Object.fromEntries(Object.entries(imports).map(([from, items]) => [from, ofModule(items)]));
}

function linked<E>(instance: WebAssembly.Instance, imports: Imports, wrap: Wrap): Linked<E> {
  const items = Object.entries(instance.exports);
  const exports = Object.fromEntries(
    items.map(([name, item]) => [name, typeof item === 'function' ? wrap(item as GuestFunction) : item]),
  );
  const memory = [
    ...items.map(([, item]) => item),
    ...Object.values(imports).flatMap((each) => Object.values(each)),
  ].find((item) => item instanceof WebAssembly.Memory);
  if (memory === undefined) throw new Error('the guest has no memory that its host can see');
  return { exports: exports as Linked<E>['exports'], sync: instance.exports as Linked<E>['sync'], memory };
}

const request: Call = (fn, ...args) => ({ fn: fn as GuestFunction, args });

/**
 * Does what a reentrant generator asks for while it is on the stack.
 *
 * @param unwinding has the guest come back from a call because it unwinds? What is left of the generator is then dropped: it
 * is started anew on the way in
 */
function atOnce<A extends unknown[], R>(fn: Nested<A, R>, unwinding: () => boolean): (...args: A) => R {
  return (...args) => {
    const generator = fn(request, ...args);
    let step = generator.next();
    while (step.done !== true) {
      let result: unknown;
      try {
        result = step.value.fn(...(step.value.args as never[]));
      } catch (error) {
        step = generator.throw(error);
        continue;
      }
      // Nobody looks at what is returned now.
      if (unwinding()) return 0 as R;
      step = generator.next(result);
    }
    return step.value;
  };
}
