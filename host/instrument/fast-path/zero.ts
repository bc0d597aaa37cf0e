/** Constants of every type, for results that nobody looks at. */
import type { Binaryen, BinaryenModule, Ref } from '../binaryen.ts';

/** A constant of a type whose references may be null. */
export function zero(binaryen: Binaryen, module: BinaryenModule, type: Ref): Ref {
  switch (type) {
    case binaryen.i32:
      return module.i32.const(0);
    case binaryen.i64:
      return module.i64.const(0n);
    case binaryen.f32:
      return module.f32.const(0);
    case binaryen.f64:
      return module.f64.const(0);
    case binaryen.v128:
      return module.v128.const(Array.from({ length: 16 }, () => 0));
    default: {
      const types = binaryen.expandType(type);
      return types.length === 1
        ? module.ref.null(type)
        : module.tuple.make(types.map((each) => zero(binaryen, module, each)));
    }
  }
}
