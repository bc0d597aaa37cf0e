;; instrument: --suspending env.wait --suspending env.wait_i64 --suspending env.wait_f64 --suspending env.wait_void
;; instrument: --suspending env.wait_pair --suspending env.call --suspending env.invoke_ii --allocator memory.grow
;; The guest of most of the specification: every way of waiting, with nothing else around it. It keeps no shadow stack.
(module
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (import "env" "wait_i64" (func $wait_i64 (param i64) (result i64)))
  (import "env" "wait_f64" (func $wait_f64 (param f64) (result f64)))
  (import "env" "wait_void" (func $wait_void (param i32)))
  (import "env" "wait_pair" (func $wait_pair (param i32) (result i32 i64)))
  ;; Calls the function at a table index with an argument: a reentrant generator, a plain trampoline, an opaque function.
  (import "env" "call" (func $call (param i32 i32) (result i32)))
  (import "env" "invoke_ii" (func $invoke_ii (param i32 i32) (result i32)))
  (import "env" "opaque" (func $opaque (param i32 i32) (result i32)))
  (import "env" "note" (func $note (param i32) (result i32)))

  (type $unary (func (param i32) (result i32)))
  (memory (export "memory") 1)
  (table (export "table") 8 funcref)
  (elem (i32.const 0) $once $deep_by_5 $loop $trap_after $plus_one $through_call_once)
  (global $counter (mut i32) (i32.const 0))

  (func $once (export "once") (param i32) (result i32)
    (call $wait (local.get 0)))
  (func $plus_one (export "plus_one") (param i32) (result i32)
    (i32.add (local.get 0) (i32.const 1)))
  ;; Two waits whose results are both needed.
  (func (export "twice") (param i32) (result i32)
    (i32.add (call $wait (local.get 0)) (call $wait (i32.add (local.get 0) (i32.const 1)))))
  ;; Waits at the given depth; adds one on the way back at every level, so that no frame may be lost.
  (func $deep (export "deep") (param $n i32) (param $x i32) (result i32)
    (if (result i32) (local.get $n)
      (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get $n) (i32.const 1)) (local.get $x))))
      (else (call $wait (local.get $x)))))
  ;; The same with a loop around the calls and values that are alive in it: worth a second body to the instrumenter.
  (func $deep_loop (export "deep_loop") (param $n i32) (param $x i32) (result i32)
    (local $i i32) (local $sum i32) (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $e i32) (local $f i32)
    (local.set $a (i32.mul (local.get $x) (local.get $n)))
    (local.set $b (i32.xor (local.get $a) (i32.const 12)))
    (local.set $c (i32.mul (local.get $a) (local.get $b)))
    (local.set $d (i32.rotl (local.get $c) (local.get $n)))
    (local.set $e (i32.sub (local.get $d) (local.get $b)))
    (local.set $f (i32.or (local.get $e) (local.get $c)))
    (loop $next
      (if (i32.and (i32.eqz (local.get $i)) (i32.ne (local.get $n) (i32.const 0)))
        (then (local.set $sum (i32.add (local.get $sum) (call $deep_loop (i32.sub (local.get $n) (i32.const 1)) (local.get $x)))))
        (else (if (i32.and (i32.eqz (local.get $i)) (i32.eqz (local.get $n)))
          (then (local.set $sum (i32.add (local.get $sum) (call $wait (local.get $x))))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 3))))
    ;; Nothing, unless a value was lost.
    (i32.add
      (i32.add (local.get $sum) (i32.ne (local.get $n) (i32.const 0)))
      (i32.or
        (i32.or (i32.ne (local.get $a) (i32.mul (local.get $x) (local.get $n))) (i32.ne (local.get $b) (i32.xor (local.get $a) (i32.const 12))))
        (i32.or
          (i32.or (i32.ne (local.get $c) (i32.mul (local.get $a) (local.get $b))) (i32.ne (local.get $d) (i32.rotl (local.get $c) (local.get $n))))
          (i32.or (i32.ne (local.get $e) (i32.sub (local.get $d) (local.get $b))) (i32.ne (local.get $f) (i32.or (local.get $e) (local.get $c))))))))
  (func $deep_by_5 (param $x i32) (result i32) (call $deep (i32.const 5) (local.get $x)))
  ;; The sum of n waits for the same argument.
  (func $loop_of (export "loop_of") (param $n i32) (param $x i32) (result i32) (local $sum i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $sum (i32.add (local.get $sum) (call $wait (local.get $x))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $next)))
    (local.get $sum))
  (func $loop (export "loop") (param $n i32) (result i32) (call $loop_of (local.get $n) (i32.const 0)))
  (func (export "wait_i64") (param i64 i32) (result i64)
    (i64.add (call $wait_i64 (local.get 0)) (i64.extend_i32_s (local.get 1))))
  (func (export "wait_f64") (param f64) (result f64) (call $wait_f64 (local.get 0)))
  (func (export "wait_void") (param i32) (call $wait_void (local.get 0)))
  (func (export "wait_pair") (param i32) (result i32 i64) (call $wait_pair (local.get 0)))

  ;; A synchronous library that calls whatever callback it is given: sums f(i) for i below n.
  (func (export "sum_of") (param $f i32) (param $n i32) (result i32) (local $sum i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $n)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (local.set $sum (i32.add (local.get $sum) (call_indirect (type $unary) (local.get $n) (local.get $f))))
        (br $next)))
    (local.get $sum))

  (func $trap_after (export "trap_after") (param i32) (result i32)
    (drop (call $wait (local.get 0)))
    unreachable)
  (func (export "trap") (result i32) unreachable)
  (func $forever (export "forever") (param i32) (result i32)
    (i32.add (call $forever (i32.add (local.get 0) (i32.const 1))) (call $wait (local.get 0))))

  (func (export "through_call") (param i32 i32) (result i32)
    (i32.add (i32.const 1000) (call $call (local.get 0) (local.get 1))))
  (func $through_call_once (param i32) (result i32)
    (i32.add (i32.const 100) (call $call (i32.const 0) (local.get 0))))
  (func (export "through_invoke") (param i32 i32) (result i32)
    (i32.add (i32.const 1000) (call $invoke_ii (local.get 0) (local.get 1))))
  (func (export "through_opaque") (param i32 i32) (result i32)
    (i32.add (i32.const 1000) (call $opaque (local.get 0) (local.get 1))))
  (func (export "note") (param i32) (result i32) (call $note (local.get 0)))
  (func (export "wait_then_note") (param i32) (result i32) (call $note (call $wait (local.get 0))))

  ;; Grows the memory while others wait, and checks what was written before the wait.
  (func (export "grow_across") (param $at i32) (param $pages i32) (result i32)
    (i32.store (local.get $at) (i32.const 0x5ca1ab1e))
    (drop (memory.grow (local.get $pages)))
    (drop (call $wait (local.get $pages)))
    (i32.eq (i32.load (local.get $at)) (i32.const 0x5ca1ab1e)))
  (func (export "count") (result i32)
    (global.set $counter (i32.add (global.get $counter) (i32.const 1)))
    (global.get $counter))
  ;; Enters a section that is not re-entrant, waits in it, leaves it; 1 if somebody else was inside.
  (func (export "critical") (param i32) (result i32) (local $clash i32)
    (local.set $clash (i32.ne (i32.load (i32.const 64)) (i32.const 0)))
    (i32.store (i32.const 64) (i32.const 1))
    (drop (call $wait (local.get 0)))
    (i32.store (i32.const 64) (i32.const 0))
    (local.get $clash)))
