;; instrument: --suspending e.w --suspending a.b.c
;; One import name with several types, and two names that look alike when they are written with a dot between.
(module
  (import "e" "w" (func $w1 (param i32) (result i32)))
  (import "e" "w" (func $w2 (param f64 f64) (result f64)))
  (import "e" "w" (func $w3 (param i64) (result i64)))
  (import "a" "b.c" (func $x (param f64 f64) (result f64)))
  (import "a.b" "c" (func $y (param i64) (result i64)))
  (memory (export "memory") 1)
  (func (export "one") (param i32) (result i32) (call $w1 (local.get 0)))
  (func (export "two") (param f64 f64) (result f64) (call $w2 (local.get 0) (local.get 1)))
  (func (export "big") (param i64) (result i64) (call $w3 (local.get 0)))
  (func (export "x") (param f64 f64) (result f64) (call $x (local.get 0) (local.get 1)))
  (func (export "y") (param i64) (result i64) (call $y (local.get 0))))
