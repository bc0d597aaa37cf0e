;; instrument: --suspending env.wait --remove left_out
;; A function that is on the way to a wait and was left out of the instrumentation by a list.
(module
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 1)
  (func $inner (param i32) (result i32) (i32.add (call $wait (local.get 0)) (i32.const 1)))
  ;; Would write what a placeholder gave it.
  (func $left_out (param i32) (result i32) (local $got i32)
    (local.set $got (call $inner (local.get 0)))
    (i32.store (i32.const 16) (i32.const 666))
    (local.get $got))
  (func $caller (export "through") (param i32) (result i32) (i32.add (call $left_out (local.get 0)) (i32.const 10)))
  (func (export "around") (param i32) (result i32) (call $inner (local.get 0)))
  (func (export "written") (result i32) (i32.load (i32.const 16))))
