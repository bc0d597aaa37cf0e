;; instrument: --suspending app.* --allocator memory.grow
;; target: jspi
;; A plugin that hands out and asks for references.
(module
  (import "app" "take" (func $take (param externref) (result i32)))
  (import "app" "take_function" (func $take_function (param funcref) (result i32)))
  (import "app" "give" (func $give (result externref)))
  (memory (export "memory") 1)
  (elem declare func $secret)
  (func $secret (export "secret") (result i32) (i32.const 42))
  (func (export "function") (result funcref) (ref.func $secret))
  (func (export "both") (result i32 funcref) (i32.const 1) (ref.func $secret))
  (func (export "pass_function") (result i32) (call $take_function (ref.func $secret)))
  (func (export "pass_given") (result i32) (call $take (call $give))))
