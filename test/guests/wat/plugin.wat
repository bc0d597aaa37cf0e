;; instrument: --suspending app.* --allocator memory.grow
;; A plugin that deals in text, bytes and JSON, and one that lies: what it returns and passes to the host, and where it makes
;; room, is what the test says. Its allocator only ever goes up, and counts what was not given back.
(module
  (import "app" "note" (func $note (param i32) (result i32)))
  (import "app" "ask" (func $ask (param i32 i32) (result i64)))
  (import "app" "tell" (func $tell (param i32 i32)))
  (memory (export "memory") 2)
  (global $heap (mut i32) (i32.const 1024))
  (global $live (mut i32) (i32.const 0))
  ;; What `alloc` answers if it is not 0.
  (global $answer (mut i32) (i32.const 0))

  (func $alloc (export "alloc") (param $len i32) (result i32) (local $at i32)
    (if (global.get $answer) (then (return (global.get $answer))))
    (local.set $at (global.get $heap))
    (global.set $heap (i32.and (i32.add (i32.add (local.get $at) (local.get $len)) (i32.const 7)) (i32.const -8)))
    (global.set $live (i32.add (global.get $live) (i32.const 1)))
    (local.get $at))
  (func $free (export "free") (param $at i32)
    (global.set $live (i32.sub (global.get $live) (i32.const 1))))
  (func (export "live") (result i32) (global.get $live))
  (func (export "answer") (param i32) (global.set $answer (local.get 0)))

  (func $pack (param $at i32) (param $len i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $len))))

  (func (export "echo") (param $at i32) (param $len i32) (result i64) (local $copy i32)
    (local.set $copy (call $alloc (local.get $len)))
    (memory.copy (local.get $copy) (local.get $at) (local.get $len))
    (call $pack (local.get $copy) (local.get $len)))
  (func (export "same") (param $at i32) (param $len i32) (result i64) (call $pack (local.get $at) (local.get $len)))
  (func (export "nothing") (param i32 i32))
  (func (export "ask") (param i32 i32) (result i64) (call $ask (local.get 0) (local.get 1)))
  (func (export "tell") (param i32 i32) (call $tell (local.get 0) (local.get 1)))
  ;; Returns, or passes to the host, the address and length that its input consists of.
  (func (export "lie") (param $at i32) (param i32) (result i64)
    (call $pack (i32.load (local.get $at)) (i32.load offset=4 (local.get $at))))
  (func (export "lie_to_host") (param $at i32) (param i32) (result i64)
    (call $ask (i32.load (local.get $at)) (i32.load offset=4 (local.get $at))))

  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "add_long") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
  (func (export "pair") (param i32) (result i32 i64) (local.get 0) (i64.const 7))
  (func (export "note") (param i32) (result i32) (call $note (local.get 0)))
  (func (export "notes") (param $n i32) (result i32) (local $sum i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $sum (i32.add (local.get $sum) (call $note (local.get $n))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $next)))
    (local.get $sum))
  (func (export "trap") unreachable)
  (func (export "waits_and_traps") (param i32) (drop (call $note (local.get 0))) unreachable)
  ;; What was last put there, by any call of this instance.
  (global $state (mut i32) (i32.const 0))
  (func (export "put") (param i32) (global.set $state (local.get 0)))
  (func (export "get") (result i32) (global.get $state)))
