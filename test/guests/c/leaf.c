// The red zone: a leaf function keeps its variables below the stack pointer without lowering it, up to 128 bytes. A
// fiber must have that much below its lowest address, and whoever runs while it is paused must stay clear of it.
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("env"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("wait") int32_t wait_for(int32_t value);

// Calls nothing, so that its array lies in the red zone; volatile, so that it lies in memory at all.
__attribute__((noinline)) static int32_t leaf(int32_t seed) {
  volatile int32_t words[24];
  for (int32_t i = 0; i < 24; i++) words[i] = seed * (i + 1);
  int32_t sum = 0;
  for (int32_t i = 0; i < 24; i++) sum += words[i] == seed * (i + 1);
  return sum;
}

EXPORT("leaf") int32_t leaf_only(int32_t seed) { return leaf(seed); }

// 24 for each of `rounds`, a wait and an address in a frame of its own between them.
EXPORT("leaf_and_wait") int32_t leaf_and_wait(int32_t seed, int32_t rounds) {
  volatile int32_t mine = seed;
  int32_t sum = 0;
  for (int32_t i = 0; i < rounds; i++) {
    sum += leaf(seed + i);
    if (wait_for(i) != i || mine != seed) return -1;
    sum += leaf(seed - i) - 24;
  }
  return sum;
}

__attribute__((noinline)) static int32_t take_and_leaf(int32_t bytes, int32_t seed) {
  volatile uint8_t filler[bytes];
  filler[0] = filler[bytes - 1] = 1;
  return leaf(seed) * filler[0] * filler[bytes - 1];
}

// Takes `bytes` more of the stack and calls a leaf there, between two waits; then the words at the top of the stack,
// below which another fiber's ends, must be as they were. 24 if all is well.
EXPORT("leaf_at_the_end") int32_t leaf_at_the_end(int32_t bytes, int32_t seed) {
  volatile int32_t top[24];
  for (int32_t i = 0; i < 24; i++) top[i] = seed + i;
  wait_for(0);
  int32_t sum = take_and_leaf(bytes, seed);
  wait_for(1);
  for (int32_t i = 0; i < 24; i++)
    if (top[i] != seed + i) return -1;
  return sum;
}
