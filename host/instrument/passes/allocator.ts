/**
 * The guest's allocator as the host calls it: `malloc(size) -> pointer` and `free(pointer)`. Where the guest exports such a
 * pair, nothing is added. Otherwise it is exported under our names, wrapped if it is called differently:
 *
 *     block:  [ size of the whole block i32 | 12 unused | what the host gets, 16-byte aligned ... ]
 */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { Allocator } from '../guest.ts';
import type { Walker } from '../walk.ts';

const MALLOC = 'wasm-fibers.malloc';
const FREE = 'wasm-fibers.free';
const HEADER = 16;

export function addAllocator(
  walker: Walker,
  module: BinaryenModule,
  allocator: NonNullable<Allocator> & { kind: 'functions' },
  nameOf: (index: number) => string,
): void {
  const { auto, i32, none } = walker.raw.binaryen;
  const { alloc, free, shape } = allocator;
  if (shape === 'plain') {
    if (alloc.exported === null) module.addFunctionExport(nameOf(alloc.index), MALLOC);
    if (free !== null && free.exported === null) module.addFunctionExport(nameOf(free.index), FREE);
    return;
  }
  const argument = (): Ref => module.local.get(0, i32);
  const constant = (value: number): Ref => module.i32.const(value);
  const call = (operands: readonly Ref[]): Ref => module.call(nameOf(alloc.index), operands, i32);
  const bodies: Readonly<Record<typeof shape, () => Ref>> = {
    block: () => call([argument()]),
    object: () => call([argument(), constant(0)]),
    realloc: () => call([constant(0), constant(0), constant(16), argument()]),
    aligned: () => {
      const size = module.local.tee(0, module.i32.add(argument(), constant(HEADER)), i32);
      const block = module.local.tee(1, call([size, constant(16)]), i32);
      return module.block(
        null,
        [
          module.if(
            block,
            module.block(
              null,
              [
                module.i32.store(0, 4, module.local.get(1, i32), argument()),
                module.local.set(1, module.i32.add(module.local.get(1, i32), constant(HEADER))),
              ],
              auto,
            ),
          ),
          module.local.get(1, i32),
        ],
        auto,
      );
    },
  };
  module.addFunction(MALLOC, i32, i32, [i32], bodies[shape]());
  let release = module.nop();
  if (free !== null && shape === 'aligned') {
    const block = module.local.tee(0, module.i32.sub(argument(), constant(HEADER)), i32);
    release = module.call(nameOf(free.index), [block, module.i32.load(0, 4, argument()), constant(16)], none);
  }
  module.addFunction(FREE, i32, none, [], release);
  module.addFunctionExport(MALLOC, MALLOC);
  module.addFunctionExport(FREE, FREE);
}
