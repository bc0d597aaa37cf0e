;; instrument: --suspending env.wait
;; A guest without a memory: the instrumenter adds one for the window.
(module
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (func (export "once") (param i32) (result i32) (call $wait (local.get 0))))
