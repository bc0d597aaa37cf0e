/**
 * References that cannot be null. A local for one must be set before it is read, on every way there; a jump to a suspension
 * point is a way past that. Binaryen looks for such locals behind each of its passes and lets them be null, with a check where
 * they are read: that is right for what is read behind the point, and wrong for what a call at the point is given again.
 */
import type { Ref } from '../binaryen.ts';
import type { Raw } from '../raw.ts';

/** Is a type, which has one value, one of references that cannot be null? */
export function isDefinite(raw: Raw, type: Ref): boolean {
  const { i32, i64, f32, f64, v128 } = raw.binaryen;
  return ![i32, i64, f32, f64, v128].includes(type) && raw.call('TypeIsNullable')(type) === 0;
}

/** The same that may be null. */
export function nullable(raw: Raw, type: Ref): Ref {
  return raw.call('TypeFromHeapType')(raw.call('TypeGetHeapType')(type), 1);
}
