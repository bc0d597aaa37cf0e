// Buffers on the shadow stack that the host fills while the fiber is suspended, at random depth, between canaries:
// whoever gives two fibers the same piece of stack, or moves it, is found out.
#include <stdint.h>
#include <string.h>

#define IMPORT(name) __attribute__((import_module("env"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

// Writes `length` bytes of the sequence that `seed` starts to `buffer`, at once or after a while.
IMPORT("fill") void fill(uint8_t *buffer, int32_t length, uint32_t seed);

static uint32_t next(uint32_t *state) { return (*state = *state * 1664525u + 1013904223u) >> 8; }

// How many of the bytes are not those that the host was asked for.
static int32_t wrong_bytes(const uint8_t *buffer, int32_t length, uint32_t seed) {
  int32_t wrong = 0;
  for (int32_t i = 0; i < length; i++) wrong += buffer[i] != (uint8_t)(seed + (uint32_t)i * 7);
  return wrong;
}

__attribute__((noinline)) static int32_t descend(uint32_t *state, int32_t depth, uint32_t tag) {
  volatile uint32_t before[4] = {tag, ~tag, tag * 3, (uint32_t)depth};
  int32_t length = 1 + (int32_t)(next(state) % 96);
  uint32_t seed = next(state);
  uint8_t buffer[length];
  volatile uint32_t after[2] = {tag ^ 0x5a5a5a5au, seed};

  memset(buffer, 0xee, (size_t)length);
  fill(buffer, length, seed);
  int32_t wrong = wrong_bytes(buffer, length, seed);
  if (depth > 0) wrong += descend(state, depth - 1, tag + 1);
  // Once more: what the deeper frames and the other fibers did must not have reached this one.
  wrong += wrong_bytes(buffer, length, seed);
  fill(buffer, length, seed + 1);
  wrong += wrong_bytes(buffer, length, seed + 1);

  wrong += before[0] != tag || before[1] != ~tag || before[2] != tag * 3 || before[3] != (uint32_t)depth;
  wrong += after[0] != (tag ^ 0x5a5a5a5au) || after[1] != seed;
  return wrong;
}

// Corruptions found in `rounds` descents of random depth; 0 if the stack is this fiber's own.
EXPORT("run") int32_t run(uint32_t seed, int32_t rounds) {
  uint32_t state = seed;
  int32_t wrong = 0;
  for (int32_t i = 0; i < rounds; i++) wrong += descend(&state, (int32_t)(next(&state) % 10), seed + (uint32_t)i);
  return wrong;
}
