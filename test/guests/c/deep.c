// Depth: `n` frames, each with a word on the shadow stack, and a wait at the bottom.
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("env"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("wait") int32_t wait_for(int32_t value);

// `link` points into the caller's frame: a loop in place of the recursion could not have it.
__attribute__((noinline)) static int32_t descend(int32_t n, volatile int32_t *link, int32_t seed) {
  volatile int32_t mine = n + *link;
  if (n == 0) return wait_for(seed) + mine;
  int32_t below = descend(n - 1, &mine, seed);
  return below - mine + n + *link;
}

// What the host answers to `seed`, plus n(n+1)/2, if no frame lost its word.
EXPORT("deep") int32_t deep(int32_t n, int32_t seed) {
  volatile int32_t zero = 0;
  return descend(n, &zero, seed);
}

// No shadow stack at all, only the engine's own. A sum would be made a loop; this alternates: r = answer, r = i - r.
__attribute__((noinline)) static int32_t plain(int32_t n, int32_t seed) {
  if (n == 0) return wait_for(seed);
  return n - plain(n - 1, seed);
}

EXPORT("deep_plain") int32_t deep_plain(int32_t n, int32_t seed) { return plain(n, seed); }
