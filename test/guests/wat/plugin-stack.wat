;; instrument: --suspending env.wait
;; A plugin as LLVM makes it: a stack in linear memory, of which each call takes as much as it is told to.
(module
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 16)
  (global $__stack_pointer (mut i32) (i32.const 65536))
  (global $heap (mut i32) (i32.const 65536))
  (func (export "malloc") (param $len i32) (result i32)
    (global.set $heap (i32.add (global.get $heap) (i32.and (i32.add (local.get $len) (i32.const 31)) (i32.const -16))))
    (i32.sub (global.get $heap) (i32.and (i32.add (local.get $len) (i32.const 31)) (i32.const -16))))
  (func (export "free") (param i32))
  (func (export "array") (param $bytes i32) (result i32)
    (global.set $__stack_pointer (i32.sub (global.get $__stack_pointer) (local.get $bytes)))
    (drop (call $wait (i32.const 0)))
    (global.set $__stack_pointer (i32.add (global.get $__stack_pointer) (local.get $bytes)))
    (local.get $bytes)))
