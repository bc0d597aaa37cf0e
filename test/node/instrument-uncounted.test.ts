/** What plugins must not have, looked for in the bytes, whatever this engine knows. That plugins are refused: plugin-modules.test.ts. */
import { describe, expect, test } from 'vitest';
import { FiberError } from '../../host/errors.ts';
import { refuseUncounted } from '../../host/instrument/metering/uncounted.ts';
import { assembleText } from '../proof/wat.ts';

function refusal(text: string): FiberError {
  try {
    refuseUncounted(assembleText(`(module ${text})`), 100);
  } catch (error) {
    if (error instanceof FiberError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('what no limit of memory counts is refused', () => {
  const TYPES = '(type $s (struct (field i32))) (type $a (array (mut i32))) (type $r (array (mut anyref)))';

  test.each([
    ['struct.new', '(drop (struct.new $s (i32.const 1)))'],
    ['struct.new_default', '(drop (struct.new_default $s))'],
    ['array.new', '(drop (array.new $a (i32.const 1) (i32.const 1)))'],
    ['array.new_default', '(drop (array.new_default $a (i32.const 1)))'],
    ['array.new_fixed', '(drop (array.new_fixed $a 1 (i32.const 1)))'],
    ['array.new_data', '(drop (array.new_data $a $d (i32.const 0) (i32.const 1)))'],
    ['array.new_elem', '(drop (array.new_elem $r $e (i32.const 0) (i32.const 1)))'],
  ])('%s, by the name of the function', (instruction, code) => {
    const error = refusal(
      `${TYPES} (data $d "1234") (elem $e anyref (ref.null none)) (func (export "fine")) (func $make (export "go") ${code})`,
    );
    expect(error).toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
    expect(error.message).toContain(`(${instruction} in the function "make")`);
  });

  test.each([
    ['a global', '(global (ref $s) (struct.new_default $s))', 'global 0'],
    ['a table', '(table 1 (ref $s) (struct.new_default $s))', 'table 0'],
    ['an element segment', '(elem (ref $s) (struct.new_default $s))', 'element segment 0'],
    ['an active one', '(table 1 anyref) (elem (i32.const 0) anyref (struct.new_default $s))', 'element segment 0'],
  ])('objects in the constants of %s', (_, field, where) => {
    const error = refusal(`${TYPES} ${field} (func (export "go"))`);
    expect(error).toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
    expect(error.message).toContain(where);
  });

  test.each([
    ['a table', '(table 1 exnref)'],
    ['a global', '(global (mut exnref) (ref.null exn))'],
    ['a global', '(global (mut (ref null noexn)) (ref.null noexn))'],
    ['a tag', '(tag (param i32 exnref))'],
    ['a tag', `(tag (param ${'i64 '.repeat(17)}))`],
  ])('exceptions that %s keeps, or that are large: %s', (what, field) => {
    const error = refusal(`${field} (func (export "go"))`);
    expect(error).toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
    expect(error.message).toContain(`This module has ${what} (`);
  });

  test('but not types that nothing is made of, nor exceptions that are thrown', () => {
    const text = `${TYPES} (tag $e (param i32)) (table 16 funcref) (func (export "go") (param anyref) (result i32)
      (drop (ref.test (ref $s) (local.get 0))) (drop (ref.i31 (i32.const 1)))
      (block $h (result i32) (try_table (catch $e $h) (throw $e (i32.const 5))) (unreachable)))`;
    expect(() => refuseUncounted(assembleText(`(module ${text})`), 16)).not.toThrow();
  });
});
