;; instrument: --suspending env.wait
;; Exception handling of the kind that engines have had since 2021: try, catch_all, rethrow.
(module
  (import "env" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 1)
  (tag $guest (export "tag") (param i32))
  ;; 0 if the wait succeeds, 7 if something was caught.
  (func (export "guarded") (param i32) (result i32)
    (try (result i32)
      (do (drop (call $wait (local.get 0))) (i32.const 0))
      (catch_all (i32.const 7))))
  ;; The argument of the guest's own exception, if that is what came.
  (func (export "tagged") (param i32) (result i32)
    (try (result i32)
      (do (call $wait (local.get 0)))
      (catch $guest)))
  ;; Catches whatever comes, then waits again.
  (func (export "swallow_then_wait") (param i32 i32) (result i32)
    (try (do (drop (call $wait (local.get 0)))) (catch_all))
    (call $wait (local.get 1)))
  ;; Cleans up as a destructor does: notes it in memory and passes the exception on.
  (func (export "cleanup") (param i32) (result i32)
    (try (result i32)
      (do (call $wait (local.get 0)))
      (catch_all
        (i32.store (i32.const 16) (i32.add (i32.load (i32.const 16)) (i32.const 1)))
        (rethrow 0))))
  ;; Cleans up and waits for that, as a destructor that closes a file does.
  (func (export "cleanup_waits") (param i32 i32) (result i32)
    (try (result i32)
      (do (call $wait (local.get 0)))
      (catch_all
        (drop (call $wait (local.get 1)))
        (i32.store (i32.const 16) (i32.add (i32.load (i32.const 16)) (i32.const 1)))
        (rethrow 0))))
  (func (export "cleanups") (result i32) (i32.load (i32.const 16)))
  (func $wait_below (param i32) (result i32) (call $wait (local.get 0)))
  ;; Waits inside a catch body, two calls down.
  (func (export "wait_in_catch") (param i32) (result i32)
    (try (result i32)
      (do (throw $guest (local.get 0)))
      (catch $guest (drop) (call $wait_below (i32.const 5)))))
  (func (export "throw_own") (param i32) (throw $guest (local.get 0))))
