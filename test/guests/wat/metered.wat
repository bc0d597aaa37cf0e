;; What metering has to bear: loops that do not end, calls without end, work by size, limits, and code that must not be disturbed.
;; instrument: --suspending env.wait --metered --memory-pages 40 --table-elements 100 --call-depth 500
(module
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (import "env" "note" (func $note (param i32)))
  ;; The last page is what malloc gives, once.
  (memory (export "memory") 34 100)
  (func (export "malloc") (param i32) (result i32) (i32.const 2162688))
  (func (export "free") (param i32))
  (table (export "table") 10 funcref)
  (data $data "0123456789")
  (elem $functions func $forever $count $wait_once)
  (global $lock (mut i32) (i32.const 0))

  (func $forever (export "forever")
    (loop $again
      (br $again)))

  ;; The loop of a spin lock: with a body, and a way out that is never taken.
  (func (export "spin")
    (block $out
      (loop $again
        (br_if $out (i32.eq (i32.load (i32.const 0)) (i32.const 77)))
        (br $again))))

  (func $count (export "count") (param $n i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $sum) (local.get $n))))
    (local.get $sum))

  (func $fib (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_s (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else
        (i32.add
          (call $fib (i32.sub (local.get $n) (i32.const 1)))
          (call $fib (i32.sub (local.get $n) (i32.const 2)))))))

  ;; Neither a loop nor a recursion.
  (func $leaf (result i32) (i32.const 1))
  (func $d0 (result i32) (i32.add (call $leaf) (call $leaf)))
  (func $d1 (result i32) (i32.add (call $d0) (call $d0)))
  (func $d2 (result i32) (i32.add (call $d1) (call $d1)))
  (func $d3 (result i32) (i32.add (call $d2) (call $d2)))
  (func $d4 (result i32) (i32.add (call $d3) (call $d3)))
  (func $d5 (result i32) (i32.add (call $d4) (call $d4)))
  (func $d6 (result i32) (i32.add (call $d5) (call $d5)))
  (func $d7 (result i32) (i32.add (call $d6) (call $d6)))
  (func $d8 (result i32) (i32.add (call $d7) (call $d7)))
  (func $d9 (result i32) (i32.add (call $d8) (call $d8)))
  (func $d10 (result i32) (i32.add (call $d9) (call $d9)))
  (func $d11 (result i32) (i32.add (call $d10) (call $d10)))
  (func $d12 (result i32) (i32.add (call $d11) (call $d11)))
  (func $d13 (result i32) (i32.add (call $d12) (call $d12)))
  (func $d14 (result i32) (i32.add (call $d13) (call $d13)))
  (func $d15 (result i32) (i32.add (call $d14) (call $d14)))
  (func $d16 (result i32) (i32.add (call $d15) (call $d15)))
  (func $d17 (result i32) (i32.add (call $d16) (call $d16)))
  (func $d18 (result i32) (i32.add (call $d17) (call $d17)))
  (func $d19 (result i32) (i32.add (call $d18) (call $d18)))
  (func $d20 (result i32) (i32.add (call $d19) (call $d19)))
  (func $d21 (result i32) (i32.add (call $d20) (call $d20)))
  (func $d22 (result i32) (i32.add (call $d21) (call $d21)))
  (func $d23 (result i32) (i32.add (call $d22) (call $d22)))
  (func $d24 (result i32) (i32.add (call $d23) (call $d23)))
  (func $d25 (result i32) (i32.add (call $d24) (call $d24)))
  (func $d26 (result i32) (i32.add (call $d25) (call $d25)))
  (func $d27 (result i32) (i32.add (call $d26) (call $d26)))
  (func $d28 (result i32) (i32.add (call $d27) (call $d27)))
  (func $d29 (result i32) (i32.add (call $d28) (call $d28)))
  (func $d30 (result i32) (i32.add (call $d29) (call $d29)))
  (func $d31 (result i32) (i32.add (call $d30) (call $d30)))
  (func (export "doubling") (result i32) (call $d31))

  ;; Catches whatever it can, and goes on.
  (func (export "stubborn")
    (loop $again
      (try
        (do
          (drop (call $wait (i32.const 1)))
          (call $forever))
        (catch_all))
      (br $again)))

  ;; Nothing else may run between lock and unlock, as in an allocator.
  (func (export "critical") (param $n i32) (result i32)
    (if (global.get $lock) (then (unreachable)))
    (global.set $lock (i32.const 1))
    (drop (call $count (local.get $n)))
    (global.set $lock (i32.const 0))
    (local.get $n))

  (func (export "critical_twice") (param $n i32) (result i32)
    (if (global.get $lock) (then (unreachable)))
    (global.set $lock (i32.const 1))
    (drop (call $count (local.get $n)))
    (global.set $lock (i32.const 0))
    (drop (call $wait (i32.const 1)))
    (if (global.get $lock) (then (unreachable)))
    (global.set $lock (i32.const 1))
    (drop (call $count (local.get $n)))
    (global.set $lock (i32.const 0))
    (local.get $n))

  (func $wait_once (export "wait") (param $x i32) (result i32)
    (call $wait (local.get $x)))

  ;; Counts between waits.
  (func (export "alternate") (param $times i32) (param $n i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (call $count (local.get $n))))
      (local.set $sum (i32.add (local.get $sum) (call $wait (i32.const 1))))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $again (local.get $times)))
    (local.get $sum))

  (func $deep (export "deep") (param $n i32) (result i32)
    (if (result i32) (local.get $n)
      (then (i32.add (i32.const 1) (call $deep (i32.sub (local.get $n) (i32.const 1)))))
      (else (call $wait (i32.const 0)))))

  ;; Deep calls in one after the other, left by an exception and by early returns.
  (tag $tag)
  (func $throw_at (param $n i32)
    (if (i32.eqz (local.get $n)) (then (throw $tag)))
    (call $throw_at (i32.sub (local.get $n) (i32.const 1))))
  (func (export "deep_often") (param $n i32) (param $times i32) (result i32) (local $caught i32)
    (loop $again
      (try
        (do (call $throw_at (local.get $n)))
        (catch $tag (local.set $caught (i32.add (local.get $caught) (i32.const 1)))))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $again (local.get $times)))
    (local.get $caught))

  (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init") (param i32 i32 i32) (memory.init $data (local.get 0) (local.get 1) (local.get 2)))
  (func (export "fill_small") (param i32) (memory.fill (local.get 0) (i32.const 7) (i32.const 100)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "size") (result i32) (memory.size))
  (func (export "grow_forever")
    (loop $again
      (drop (memory.grow (i32.const 0)))
      (br $again)))
  (func (export "table_grow") (param i32) (result i32) (table.grow (ref.null func) (local.get 0)))
  (func (export "table_fill") (param i32 i32) (table.fill (local.get 0) (ref.null func) (local.get 1)))
  (func (export "table_copy") (param i32 i32 i32) (table.copy (local.get 0) (local.get 1) (local.get 2)))
  (func (export "table_init") (param i32 i32 i32) (table.init $functions (local.get 0) (local.get 1) (local.get 2)))

  ;; Fills the same megabytes over and over, without a loop of small steps.
  (func (export "fill_often") (param $times i32)
    (loop $again
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 2097152))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $again (local.get $times))))

  ;; Calls the host all the time.
  (func (export "notes") (param $n i32)
    (loop $again
      (call $note (local.get $n))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $again (local.get $n)))))
