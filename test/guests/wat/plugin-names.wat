;; instrument: --suspending * --allocator memory.grow
;; Imports by the names that every object of the host has, and by those of what is behind them.
(module
  (import "__proto__" "polluted" (func $a (param i32) (result i32)))
  (import "constructor" "constructor" (func $b (param i32) (result i32)))
  (import "app" "__proto__" (func $c (param i32) (result i32)))
  (import "app" "toString" (func $d (param i32) (result i32)))
  (import "toString" "call" (func $e (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "__proto__") (param i32) (result i32) (call $a (local.get 0)))
  (func (export "constructor") (param i32) (result i32) (call $b (local.get 0)))
  (func (export "hasOwnProperty") (param i32) (result i32) (call $c (local.get 0)))
  (func (export "then") (param i32) (result i32) (call $d (local.get 0)))
  (func (export "toString") (param i32) (result i32) (call $e (local.get 0))))
