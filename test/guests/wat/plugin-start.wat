;; instrument: --suspending env.* --metered
;; A start function without an end.
(module
  (import "env" "abort" (func (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (start $main)
  (func $main (loop $again (br $again)))
  (func (export "value") (result i32) (i32.const 1)))
