;; A start function that never ends.
;; instrument: --suspending env.* --metered
(module
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 1)
  (func $start
    (drop (call $wait (i32.const 1)))
    (loop $again (br $again)))
  (func (export "one") (result i32) (i32.const 1))
  (start $start))
