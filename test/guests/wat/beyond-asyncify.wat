;; instrument: --suspending env.wait
;; target: jspi
;; What Asyncify cannot do, and its instrumenter refuses: tail calls, references that live across a wait, call_ref.
(module
  (type $unary (func (param i32) (result i32)))
  (import "env" "wait" (func $wait (type $unary)))
  (import "env" "object" (func $object (param i32) (result externref)))
  (table (export "table") 2 funcref)
  (elem (i32.const 0) $count_down $wait_last)
  (elem declare func $wait_last $wait)
  ;; A loop made of tail calls that waits in each of its n rounds, and ends in a wait.
  (func $count_down (export "count_down") (param $n i32) (result i32)
    (if (i32.eqz (local.get $n)) (then (return_call $wait_last (i32.const 40))))
    (return_call $count_down (i32.sub (local.get $n) (call $wait (i32.const 1)))))
  ;; The import itself is called last.
  (func $wait_last (export "wait_last") (param i32) (result i32)
    (return_call $wait (i32.add (local.get 0) (i32.const 2))))
  (func (export "last_by_table") (param i32 i32) (result i32)
    (return_call_indirect (type $unary) (local.get 1) (local.get 0)))
  ;; An object of the host's is kept while the guest waits.
  (func (export "keeps") (param $x i32) (result externref) (local $kept externref)
    (local.set $kept (call $object (local.get $x)))
    (drop (call $wait (local.get $x)))
    (local.get $kept))
  ;; Calls a function of the guest, and the import, by references that are kept across the waits.
  (func (export "by_reference") (param $x i32) (result i32) (local $last (ref null $unary)) (local $import (ref null $unary))
    (local.set $last (ref.func $wait_last))
    (local.set $import (ref.func $wait))
    (i32.add
      (call_ref $unary (local.get $x) (local.get $last))
      (call_ref $unary (local.get $x) (local.get $import)))))
