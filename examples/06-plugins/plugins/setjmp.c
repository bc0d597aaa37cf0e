// setjmp and longjmp by WebAssembly's exceptions: what clang calls for them with -mllvm -wasm-enable-sjlj. A jump is an
// exception of a tag of its own, which the function with the setjmp catches and continues from. So nothing of the host takes
// part, and a call of the host that waits may be anywhere in between.
//
// What holds: a value of one function's activation is never taken for another's, also with calls of many fibers at once, since
// each setjmp has a number of its own (clang up to 17) or the activation's address (later ones); both kinds are here.
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>

/** What clang expects at the address that is thrown. */
struct jump {
  void *buffer;
  int value;
};

/** The tag of jumps, as __builtin_wasm_throw numbers it; 0 is that of C++. */
#define JUMP_TAG 1

_Noreturn void __wasm_longjmp(void *buffer, int value) {
  // It is read as soon as it is caught, before anything else can jump.
  static struct jump jump;
  jump.buffer = buffer;
  jump.value = value == 0 ? 1 : value;
  __builtin_wasm_throw(JUMP_TAG, &jump);
}

// Clang up to 17: each activation has a table of its setjmps, whose last entry has the number 0. Two results at once are
// the address of the table and, in the place that is named so, its length.

struct entry {
  uintptr_t number;
  uint32_t label;
};

static uint32_t second_result;

void setTempRet0(uint32_t value) { second_result = value; }

uint32_t getTempRet0(void) { return second_result; }

struct entry *saveSetjmp(uintptr_t *buffer, uint32_t label, struct entry *table, uint32_t length) {
  static uintptr_t last;
  uint32_t at = 0;
  while (at < length && table[at].number != 0) at++;
  if (at == length) {
    length *= 2;
    table = realloc(table, (length + 1) * sizeof *table);
    if (table == NULL) __builtin_trap();
  }
  *buffer = ++last;
  table[at] = (struct entry){*buffer, label};
  table[at + 1].number = 0;
  second_result = length;
  return table;
}

uint32_t testSetjmp(uintptr_t number, const struct entry *table, uint32_t length) {
  for (uint32_t at = 0; at < length && table[at].number != 0; at++) {
    if (table[at].number == number) return table[at].label;
  }
  return 0;
}

// Clang from 18 on.

struct place {
  void *activation;
  uint32_t label;
};

void __wasm_setjmp(struct place *buffer, uint32_t label, void *activation) {
  *buffer = (struct place){activation, label};
}

uint32_t __wasm_setjmp_test(const struct place *buffer, const void *activation) {
  return buffer->activation == activation ? buffer->label : 0;
}
