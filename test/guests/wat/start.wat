;; instrument: --suspending env.wait
;; A start function that waits.
(module
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 1)
  (global $value (mut i32) (i32.const 0))
  (start $main)
  (func $main (global.set $value (call $wait (i32.const 7))))
  (func (export "value") (result i32) (global.get $value)))
