;; instrument: --suspending app.* --metered
;; A plugin that does its worst in each place in which it is called. What it does where is chosen by `mode`: 1 loops for ever,
;; 2 traps, 3 recurses for ever.
(module
  (import "app" "note" (func $note (param i32) (result i32)))
  (import "app" "ask" (func $ask (param i32 i32) (result i64)))
  (memory (export "memory") 40)
  (table (export "table") 4 funcref)
  (global $__stack_pointer (mut i32) (i32.const 65536))
  (global $heap (mut i32) (i32.const 66000))
  (global $alloc_mode (mut i32) (i32.const 0))
  (global $free_mode (mut i32) (i32.const 0))
  (global $state (mut i32) (i32.const 0))

  (func $recurse (param i32) (result i32) (i32.add (i32.const 1) (call $recurse (i32.add (local.get 0) (i32.const 1)))))
  (func $worst (param $mode i32)
    (if (i32.eq (local.get $mode) (i32.const 1)) (then (loop $again (br $again))))
    (if (i32.eq (local.get $mode) (i32.const 2)) (then unreachable))
    (if (i32.eq (local.get $mode) (i32.const 3)) (then (drop (call $recurse (i32.const 0))))))
  (func (export "malloc") (param $len i32) (result i32)
    (call $worst (global.get $alloc_mode))
    (global.set $heap (i32.add (global.get $heap) (i32.and (i32.add (local.get $len) (i32.const 31)) (i32.const -16))))
    (i32.sub (global.get $heap) (i32.and (i32.add (local.get $len) (i32.const 31)) (i32.const -16))))
  (func (export "free") (param i32) (call $worst (global.get $free_mode)))
  (func (export "set_modes") (param i32 i32)
    (global.set $alloc_mode (local.get 0))
    (global.set $free_mode (local.get 1)))
  (func (export "put") (param i32) (global.set $state (local.get 0)))
  (func (export "get") (result i32) (global.get $state))

  (func (export "same") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))
  (func (export "ask") (param i32 i32) (result i64) (call $ask (local.get 0) (local.get 1)))
  ;; What it is told to do is in the first byte of its input.
  (func (export "worst_of_text") (param i32 i32) (result i64)
    (call $worst (i32.and (i32.load8_u (local.get 0)) (i32.const 15)))
    (i64.const 0))
  (func (export "worst") (param i32) (call $worst (local.get 0)))
  ;; Calls the host without end, and never waits for it.
  (func (export "calls_forever") (loop $again (drop (call $note (i32.const 1))) (br $again)))
  (func (export "grow_forever") (loop $again (drop (memory.grow (i32.const 1))) (br $again)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "grow_table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0)))
  (func (export "fill") (param $n i32)
    (loop $again
      (memory.fill (i32.const 1024) (i32.const 1) (i32.const 32768))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $again (local.get $n)))))
