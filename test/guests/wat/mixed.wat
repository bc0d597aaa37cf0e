;; instrument: --suspending env.wait --suspending env.wait_i64 --suspending env.wait_f64 --suspending env.call
;; instrument: --suspending env.protect --suspending env.invoke_ii
;; An interpreter of random programs (test/spec/model.test.ts), compiled as LLVM compiles: it keeps a stack in linear
;; memory, lowered in every prologue and checked behind every call, and values of three types live across every wait.
;;
;;   0     ..  4096    nothing: canaries
;;   4096  ..  65536   the stack, growing downwards from 65536
;;   65536 ..  327680  programs, written by the test
;;   327680 ..         what malloc gives, never freed
(module
  (type $unary (func (param i32) (result i32)))
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (import "env" "wait_i64" (func $wait_i64 (param i64) (result i64)))
  (import "env" "wait_f64" (func $wait_f64 (param f64) (result f64)))
  ;; Run the program at an address through the table: a reentrant generator, one that turns errors into -7, a plain
  ;; trampoline, a host function that nothing can pass.
  (import "env" "call" (func $call (param i32 i32) (result i32)))
  (import "env" "protect" (func $protect (param i32 i32) (result i32)))
  (import "env" "invoke_ii" (func $invoke_ii (param i32 i32) (result i32)))
  (import "env" "opaque" (func $opaque (param i32 i32) (result i32)))
  (import "env" "host" (func $host (param i32) (result i32)))
  (memory (export "memory") 6 256)
  (table (export "table") 1 funcref)
  (elem (i32.const 0) $run)
  (global $sp (mut i32) (i32.const 65536))
  (global $heap (mut i32) (i32.const 327680))

  (func (export "malloc") (param $size i32) (result i32) (local $block i32)
    (local.set $block (global.get $heap))
    (global.set $heap (i32.add (local.get $block) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16))))
    (block $fits
      (loop $more
        (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (return (i32.const 0))))
        (br $more)))
    (local.get $block))
  (func (export "free") (param i32))
  (func (export "stack_pointer") (result i32) (global.get $sp))

  (func $deep (param $n i32) (param $pc i32) (result i32) (local $frame i32) (local $result i32)
    (global.set $sp (local.tee $frame (i32.sub (global.get $sp) (i32.const 16))))
    (i32.store (local.get $frame) (local.get $n))
    (local.set $result
      (if (result i32) (local.get $n)
        (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get $n) (i32.const 1)) (local.get $pc))))
        (else (call $run (local.get $pc)))))
    (if (i32.ne (i32.load (local.get $frame)) (local.get $n)) (then unreachable))
    (global.set $sp (i32.add (local.get $frame) (i32.const 16)))
    (local.get $result))

  ;; An operation is four words: code, argument, count, and a cell that holds the accumulator while it runs.
  (func $run (export "run") (param $pc i32) (result i32)
    (local $acc i32) (local $big i64) (local $float f64) (local $frame i32) (local $count i32) (local $code i32)
    (local $argument i32) (local $value i32)
    (global.set $sp (local.tee $frame (i32.sub (global.get $sp) (i32.const 32))))
    (local.set $big (i64.const 5000000000))
    (local.set $float (f64.const 0.5))
    (loop $next
      (local.set $code (i32.load (local.get $pc)))
      (local.set $argument (i32.load offset=4 (local.get $pc)))
      (if (i32.eqz (local.get $code))
        (then
          (global.set $sp (i32.add (local.get $frame) (i32.const 32)))
          (return (i32.add (local.get $acc) (i32.add (i32.wrap_i64 (local.get $big))
            (i32.trunc_f64_s (local.get $float)))))))
      (i32.store offset=12 (local.get $pc) (local.get $acc))
      (i32.store (local.get $frame) (local.get $acc))
      (i64.store offset=8 (local.get $frame) (local.get $big))
      (local.set $count (i32.load offset=8 (local.get $pc)))
      (local.set $value (i32.const 0))
      (loop $again
        (local.set $value (i32.add (i32.mul (local.get $value) (i32.const 7))
          (block $done (result i32)
            (block $11 (block $10 (block $9 (block $8 (block $7 (block $6 (block $5 (block $4 (block $3 (block $2 (block $1
            (block $12 (block $13
              (br_table $13 $1 $2 $3 $4 $5 $6 $7 $8 $9 $10 $11 $12 $13 (local.get $code)))
              unreachable)
              ;; 12: a call through the table of the module itself
              (br $done (call_indirect (type $unary) (local.get $argument) (i32.const 0))))
              ;; 1: waits
              (br $done (call $wait (local.get $argument))))
              ;; 2
              (local.set $big (i64.add (i64.mul (local.get $big) (i64.const 3))
                (call $wait_i64 (i64.add (local.get $big) (i64.extend_i32_s (local.get $argument))))))
              (i64.store offset=8 (local.get $frame) (local.get $big))
              (br $done (i32.const 1)))
              ;; 3
              (local.set $float (f64.add (local.get $float)
                (call $wait_f64 (f64.add (local.get $float) (f64.convert_i32_s (local.get $argument))))))
              (br $done (i32.const 2)))
              ;; 4 to 9: runs another program, in different ways
              (br $done (call $run (local.get $argument))))
              (br $done (call $call (i32.const 0) (local.get $argument))))
              (br $done (call $protect (i32.const 0) (local.get $argument))))
              (br $done (call $invoke_ii (i32.const 0) (local.get $argument))))
              (br $done (call $opaque (i32.const 0) (local.get $argument))))
              (br $done (call $deep (i32.const 12) (local.get $argument))))
              ;; 10: a host function that does not wait
              (br $done (call $host (local.get $argument))))
              ;; 11: memory that moves under everybody
            (drop (memory.grow (i32.const 1)))
            (i32.const 3))))
        (br_if $again (i32.gt_s (local.tee $count (i32.sub (local.get $count) (i32.const 1))) (i32.const 0))))
      (if (i32.ne (i32.load offset=12 (local.get $pc)) (local.get $acc)) (then unreachable))
      (if (i32.ne (i32.load (local.get $frame)) (local.get $acc)) (then unreachable))
      (if (i64.ne (i64.load offset=8 (local.get $frame)) (local.get $big)) (then unreachable))
      (local.set $acc (i32.add (i32.mul (local.get $acc) (i32.const 31)) (local.get $value)))
      (local.set $pc (i32.add (local.get $pc) (i32.const 16)))
      (br $next))
    unreachable))
