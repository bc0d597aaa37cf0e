;; instrument: --suspending plugin.fetch --allocator memory.grow
;; A plugin that asks for what its input says, and answers with what it got.
(module
  (import "plugin" "fetch" (func $fetch (param i32 i32) (result i64)))
  (memory (export "memory") 4)
  (global $heap (mut i32) (i32.const 1024))
  (func (export "alloc") (param $len i32) (result i32)
    (global.set $heap (i32.add (global.get $heap) (local.get $len)))
    (i32.sub (global.get $heap) (local.get $len)))
  (func (export "get") (param i32 i32) (result i64) (call $fetch (local.get 0) (local.get 1))))
