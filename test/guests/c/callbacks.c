// Function pointers: called by the guest through its table, and by the host, which gets their index.
#include <stdint.h>
#include <stdlib.h>

#define IMPORT(name) __attribute__((import_module("env"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

typedef int32_t (*step)(int32_t);

IMPORT("wait") int32_t wait_for(int32_t value);
// A host function that calls the function pointer it is given, once per element, and answers with the sum.
IMPORT("each") int32_t each(step callback, int32_t n);

static int32_t add_one(int32_t value) { return value + 1; }
static int32_t wait_and_double(int32_t value) { return wait_for(value) * 2; }
static int32_t wait_twice(int32_t value) { return wait_for(wait_for(value) + 1); }
static int32_t trap_after_wait(int32_t value) {
  wait_for(value);
  abort();
}

static const step steps[] = {add_one, wait_and_double, wait_twice, trap_after_wait};

EXPORT("callback") step callback(int32_t which) { return steps[which & 3]; }

EXPORT("apply") int32_t apply(int32_t which, int32_t value) { return steps[which & 3](value); }

EXPORT("apply_all") int32_t apply_all(int32_t value) {
  for (int32_t i = 0; i < 3; i++) value = steps[i](value);
  return value;
}

// host -> guest -> host -> guest: the callback may suspend with the host function in the middle of the stack.
EXPORT("through_host") int32_t through_host(int32_t which, int32_t n) {
  volatile int32_t canary = n * 31;
  int32_t sum = each(steps[which & 3], n);
  return canary == n * 31 ? sum : -1;
}
