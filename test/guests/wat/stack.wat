;; instrument: --suspending env.wait
;; A guest as LLVM makes it, with a stack in linear memory, that grows its memory itself and exports no allocator.
(module
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 2)
  (global $__stack_pointer (mut i32) (i32.const 65536))
  (func (export "more") (result i32) (memory.grow (i32.const 1)))
  ;; Keeps its argument on the stack in memory while it waits at the given depth.
  (func $kept (export "kept") (param $x i32) (param $depth i32) (result i32) (local $frame i32)
    (global.set $__stack_pointer
      (local.tee $frame (i32.sub (global.get $__stack_pointer) (i32.const 32))))
    (i32.store (local.get $frame) (local.get $x))
    (if (local.get $depth)
      (then (drop (call $kept (i32.add (local.get $x) (i32.const 1)) (i32.sub (local.get $depth) (i32.const 1)))))
      (else (drop (call $wait (local.get $x)))))
    (local.set $x (i32.load (local.get $frame)))
    (global.set $__stack_pointer (i32.add (local.get $frame) (i32.const 32)))
    (local.get $x)))
