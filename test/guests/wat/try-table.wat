;; instrument: --suspending env.wait
;; target: jspi
;; Exception handling in its second form, which Binaryen's Asyncify cannot instrument.
(module
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (tag $guest (export "tag") (param i32))
  ;; The wait's value; 7 more than that of a second wait if the first failed.
  (func (export "guarded") (param $x i32) (param $then i32) (result i32)
    (block $caught
      (return (try_table (result i32) (catch_all $caught) (call $wait (local.get $x)))))
    (i32.add (i32.const 7) (call $wait (local.get $then))))
  ;; The argument of the guest's own exception, if that is what came.
  (func (export "tagged") (param $x i32) (result i32)
    (block $caught (result i32)
      (return (try_table (result i32) (catch $guest $caught) (call $wait (local.get $x))))))
  ;; Waits between catching an exception and passing it on.
  (func (export "passes_on") (param $x i32) (param $then i32) (result i32)
    (block $caught (result exnref)
      (return (try_table (result i32) (catch_all_ref $caught) (call $wait (local.get $x)))))
    (drop (call $wait (local.get $then)))
    (throw_ref)))
