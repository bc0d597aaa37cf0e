;; instrument: --suspending app.* --allocator memory.grow
;; What AssemblyScript's own library imports, in a module that does not say what its types are.
(module
  (import "env" "abort" (func $abort (param i32 i32 i32 i32)))
  (import "env" "seed" (func $seed (result f64)))
  (import "env" "Date.now" (func $now (result f64)))
  (import "env" "Math.sqrt" (func $sqrt (param f64) (result f64)))
  (import "app" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 60) "\04\00\00\00n\00o\00")
  (data (i32.const 76) "\08\00\00\00a\00.\00t\00s\00")
  (func (export "abort") (call $abort (i32.const 64) (i32.const 80) (i32.const 3) (i32.const 5)))
  (func (export "abort_nowhere") (call $abort (i32.const 2) (i32.const -1) (i32.const 1) (i32.const 1)))
  (func (export "seed") (result f64) (call $seed))
  (func (export "now") (result f64) (call $now))
  (func (export "sqrt") (param f64) (result f64) (call $sqrt (local.get 0)))
  (func (export "wait") (param i32) (result i32) (call $wait (local.get 0))))
