// More stack than a fiber has, taken in one piece and bit by bit: a trap, never another fiber's memory.
#include <stdint.h>
#include <string.h>

#define IMPORT(name) __attribute__((import_module("env"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("wait") int32_t wait_for(int32_t value);
// Takes the address, so that the array is needed, and reads nothing.
IMPORT("look") void look(const uint8_t *buffer);

// `bytes` of stack at once, all of it written; waits in the middle if asked to.
EXPORT("take") int32_t take(int32_t bytes, int32_t wait) {
  volatile uint8_t buffer[bytes];
  for (int32_t i = 0; i < bytes; i++) buffer[i] = (uint8_t)i;
  look((const uint8_t *)buffer);
  if (wait) wait_for(bytes);
  int32_t right = 1;
  for (int32_t i = 0; i < bytes; i++) right &= buffer[i] == (uint8_t)i;
  return right;
}

__attribute__((noinline)) static int32_t descend(int32_t n, int32_t wait) {
  volatile uint8_t page[1000];
  page[0] = page[999] = (uint8_t)n;
  look((const uint8_t *)page);
  if (n == 0) return wait ? wait_for(0) : 0;
  int32_t below = descend(n - 1, wait);
  return below + (page[0] == (uint8_t)n && page[999] == (uint8_t)n);
}

// `n` frames of a thousand bytes; answers n if all of them kept their content.
EXPORT("recurse") int32_t recurse(int32_t n, int32_t wait) { return descend(n, wait); }
