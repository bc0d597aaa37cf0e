/**
 * How instrumented code uses the window that its frames go into and come from (host/backends/window.ts), however deep its
 * stack is:
 *
 *     push(N, native, id)   p = pos + N; load += native; outermost = id
 *                           if (p + LARGEST > end || load > MOST_NATIVE) { p = drain(p, id); load = 0 }
 *                           return p                 where pos is to be after N bytes were written
 *     pop(N)                p = pos; if (p <= start) p = refill(); return p - N   where to read N bytes
 *     top()                 p = pos; if (p <= start) p = refill(); return p - 4   the last word of the frame, whatever its size;
 *                           0 if refill() gives 0: there is no frame
 *
 * `load` is the third word of the window's header: what the frames in the window are expected to take of the native stack.
 * `outermost` is the fourth: the number of the function that has saved a frame last.
 *
 * Invariant: before every push LARGEST bytes are free, LARGEST being the largest N. `drain` has the host take the frames
 * away, `refill` has it put back the segment that it took last; a segment always ends where a push ended.
 */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { Walker } from '../walk.ts';

/** The global that holds the address of the window, as Asyncify calls it. */
export const DATA = '__asyncify_data';
export const PUSH = 'wasm-fibers.push';
export const POP = 'wasm-fibers.pop';
export const TOP = 'wasm-fibers.top';
const DRAIN = 'wasm-fibers.drain';
const REFILL = 'wasm-fibers.refill';

/** Bytes before the first frame. */
const HEADER = 32;
/** Offsets in them. */
const LOAD = 8;
const OUTERMOST = 12;
export const SIGNAL = 16;
export const VALUE = 24;
/** Bytes of native stack that a segment may take when it is rewound: a small part of what engines give a thread. */
const MOST_NATIVE = 128 * 1024;

/** Those that must stay out of line: they would be copied into every other function. */
export const OUT_OF_LINE: readonly string[] = [PUSH, POP, TOP];

/** @param largest bytes */
export function addWindowFunctions(walker: Walker, module: BinaryenModule, largest: number): void {
  const { binaryen } = walker.raw;
  const { auto, i32, none } = binaryen;
  const data = (): Ref => module.global.get(DATA, i32);
  const position = (): Ref => module.i32.load(0, 4, data());
  module.addFunctionImport(DRAIN, 'wasm-fibers', 'drain', binaryen.createType([i32, i32]), i32);
  module.addFunctionImport(REFILL, 'wasm-fibers', 'refill', none, i32);
  const [size, native, id, end, load] = [0, 1, 2, 3, 4].map((local) => () => module.local.get(local, i32));
  if (!size || !native || !id || !end || !load) return;
  const isFull = module.i32.gt_u(module.i32.add(end(), module.i32.const(largest)), module.i32.load(4, 4, data()));
  module.addFunction(
    PUSH,
    binaryen.createType([i32, i32, i32]),
    i32,
    [i32, i32],
    module.block(
      null,
      [
        module.local.set(3, module.i32.add(position(), size())),
        module.local.set(4, module.i32.add(module.i32.load(LOAD, 4, data()), native())),
        module.if(
          module.i32.or(isFull, module.i32.gt_u(load(), module.i32.const(MOST_NATIVE))),
          module.block(
            null,
            [module.local.set(3, module.call(DRAIN, [end(), id()], i32)), module.local.set(4, module.i32.const(0))],
            auto,
          ),
        ),
        module.i32.store(LOAD, 4, data(), load()),
        module.i32.store(OUTERMOST, 4, data(), id()),
        end(),
      ],
      auto,
    ),
  );
  /** @param local takes the position */
  const filled = (local: number): Ref[] => {
    const end = (): Ref => module.local.get(local, i32);
    const isEmpty = module.i32.le_u(end(), module.i32.add(data(), module.i32.const(HEADER)));
    return [
      module.local.set(local, position()),
      module.if(isEmpty, module.local.set(local, module.call(REFILL, [], i32))),
    ];
  };
  const lowered = (local: number, by: Ref): Ref =>
    module.block(null, [...filled(local), module.i32.sub(module.local.get(local, i32), by)], auto);
  module.addFunction(POP, i32, i32, [i32], lowered(1, module.local.get(0, i32)));
  const isThere = module.if(module.i32.eqz(module.local.get(0, i32)), module.return(module.i32.const(0)));
  const top = module.i32.sub(module.local.get(0, i32), module.i32.const(4));
  module.addFunction(TOP, none, i32, [i32], module.block(null, [...filled(0), isThere, top], auto));
}
