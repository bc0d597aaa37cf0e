/**
 * The shadow stack pointer, for the host: an accessor pair under names of our own, since toolchains do not export the
 * global, and for LLVM guests the check that each fiber stays inside its region.
 *
 * Every store to the pointer is checked but the ones that only raise it by a constant (epilogues). The limits start as
 * the whole address space, so that nothing traps before the host has set them (`_initialize` runs early).
 */
import type { BinaryenModule, Ref } from '../binaryen.ts';
import type { Walker } from '../walk.ts';

const LOW = 'wasm-fibers.stack_low';
const HIGH = 'wasm-fibers.stack_high';
const CHECK = 'wasm-fibers.check_stack';
const OVERFLOW = 'wasm-fibers.stack_overflow';

export function addStackCheck(walker: Walker, module: BinaryenModule, pointer: string): void {
  const { raw } = walker;
  const { auto, i32, none } = raw.binaryen;
  const stores: Ref[] = [];
  const setId = raw.id('GlobalSet');
  const binaryId = raw.id('Binary');
  const constId = raw.id('Const');
  const nameOf = raw.call('GlobalSetGetName');
  const valueOf = raw.call('GlobalSetGetValue');
  const onlyRaises = (value: Ref): boolean => {
    if (raw.getId(value) !== binaryId || raw.call('BinaryGetOp')(value) !== raw.call('AddInt32')()) return false;
    const amount = raw.call('BinaryGetRight')(value);
    return raw.getId(amount) === constId && raw.call('ConstGetValueI32')(amount) > 0;
  };
  for (const func of walker.functions(module)) {
    const tree = walker.tree(func);
    for (let at = 0; at < tree.ids.length; at++) {
      if (tree.ids[at] !== setId) continue;
      const store = tree.expressions[at] ?? 0;
      if (raw.string(nameOf(store)) === pointer && !onlyRaises(valueOf(store))) stores.push(store);
    }
  }
  module.addFunctionImport(OVERFLOW, 'wasm-fibers', 'stack_overflow', i32, none);
  module.addGlobal(LOW, i32, true, module.i32.const(0));
  module.addGlobal(HIGH, i32, true, module.i32.const(-1));
  const value = (): Ref => module.local.get(0, i32);
  const low = (): Ref => module.global.get(LOW, i32);
  module.addFunction(
    CHECK,
    i32,
    i32,
    [],
    module.block(
      null,
      [
        module.if(
          module.i32.gt_u(module.i32.sub(value(), low()), module.i32.sub(module.global.get(HIGH, i32), low())),
          module.call(OVERFLOW, [value()], none),
        ),
        value(),
      ],
      auto,
    ),
  );
  const setValue = raw.call('GlobalSetSetValue');
  for (const store of stores) setValue(store, module.call(CHECK, [valueOf(store)], i32));
}

export function addStackAccessors(walker: Walker, module: BinaryenModule, pointer: string, checked: boolean): void {
  const { auto, i32, none, createType } = walker.raw.binaryen;
  const GET = 'wasm-fibers.get_stack';
  const SET = 'wasm-fibers.set_stack';
  const limits = checked
    ? [module.global.set(LOW, module.local.get(1, i32)), module.global.set(HIGH, module.local.get(2, i32))]
    : [];
  module.addFunction(GET, none, i32, [], module.global.get(pointer, i32));
  module.addFunction(
    SET,
    createType([i32, i32, i32]),
    none,
    [],
    module.block(null, [module.global.set(pointer, module.local.get(0, i32)), ...limits], auto),
  );
  module.addFunctionExport(GET, GET);
  module.addFunctionExport(SET, SET);
}
