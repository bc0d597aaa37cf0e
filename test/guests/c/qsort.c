// libc's qsort, whose comparator waits for the host: a library that nobody rewrote, in the middle of the stack.
#include <stdint.h>
#include <stdlib.h>

#define IMPORT(name) __attribute__((import_module("env"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("compare") int32_t compare(int32_t a, int32_t b);

static int comparator(const void *a, const void *b) { return compare(*(const int32_t *)a, *(const int32_t *)b); }

static uint32_t next(uint32_t *state) { return (*state = *state * 1664525u + 1013904223u) >> 8; }

// Sorts the `n` numbers that `seed` generates; 1 if they came out in order and are the same numbers as before.
static int32_t sort(int32_t *numbers, int32_t n, uint32_t seed) {
  uint32_t state = seed, sum = 0, after = 0;
  for (int32_t i = 0; i < n; i++) sum += numbers[i] = (int32_t)(next(&state) % 1000);
  qsort(numbers, (size_t)n, sizeof *numbers, comparator);
  for (int32_t i = 0; i < n; i++) after += numbers[i];
  for (int32_t i = 1; i < n; i++)
    if (numbers[i - 1] > numbers[i]) return 0;
  return sum == after;
}

EXPORT("sort_heap") int32_t sort_heap(int32_t n, uint32_t seed) {
  int32_t *numbers = malloc((size_t)n * sizeof *numbers);
  if (!numbers) return -1;
  int32_t ok = sort(numbers, n, seed);
  free(numbers);
  return ok;
}

EXPORT("sort_stack") int32_t sort_stack(int32_t n, uint32_t seed) {
  int32_t numbers[n > 0 ? n : 1];
  return sort(numbers, n, seed);
}

// The host's own numbers, sorted where they are.
EXPORT("sort_at") void sort_at(int32_t *numbers, int32_t n) { qsort(numbers, (size_t)n, sizeof *numbers, comparator); }
