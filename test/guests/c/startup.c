// Code that waits before anybody holds the exports: a constructor, and main. Built as a reactor (`_initialize`) and as
// a command (`_start`).
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define IMPORT(name) __attribute__((import_module("env"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("wait") int32_t wait_for(int32_t value);

static int32_t *constructed;

__attribute__((constructor)) static void construct(void) {
  volatile int32_t word = 40;
  int32_t sum = wait_for(2) + word;
  constructed = malloc(sizeof *constructed);
  *constructed = sum;
}

// The address leaves the guest, so that the compiler cannot do without malloc.
EXPORT("cell") int32_t *cell(void) { return constructed; }

EXPORT("constructed") int32_t was_constructed(void) { return *constructed; }

EXPORT("forget") void forget(void) {
  free(constructed);
  constructed = NULL;
}

// Waits in a frame with an address of its own, so that two at once need two stacks.
EXPORT("add_later") int32_t add_later(int32_t a, int32_t b) {
  volatile int32_t mine = a;
  int32_t later = wait_for(b);
  return mine + later;
}

#ifdef COMMAND
int main(void) {
  char line[64];
  for (int32_t i = 1; i <= 3; i++) {
    snprintf(line, sizeof line, "%d: %d", i, *constructed);
    printf("%s, %d\n", line, wait_for(i * 10));
  }
  return wait_for(3);
}
#endif
