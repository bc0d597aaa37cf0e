// Calls: functions that call themselves, or what a table holds, and could wait at any depth.
#include <stdint.h>
#include <stdlib.h>

__attribute__((import_module("env"), import_name("pause"))) void host_pause(void);
#define EXPORT(name) __attribute__((export_name(name)))

static int32_t until_pause, interval;

static void maybe_pause(void) {
  if (until_pause-- > 0) return;
  until_pause = interval;
  host_pause();
}

// The first one is paused in, and then one of so many.
static void pause_every(int32_t count) {
  until_pause = 0;
  interval = count;
}

static int32_t fib(int32_t n) {
  if (n >= 2) return fib(n - 1) + fib(n - 2);
  maybe_pause();
  return n;
}

EXPORT("recursion") int32_t recursion(int32_t n) {
  pause_every(100000);
  return fib(n);
}

typedef struct Tree {
  struct Tree *left, *right;
  int32_t value;
} Tree;

static Tree *grow(int32_t depth, int32_t value) {
  Tree *tree = malloc(sizeof *tree);
  *tree = (Tree){.value = value};
  if (depth > 0) {
    tree->left = grow(depth - 1, value * 3 + 1);
    tree->right = grow(depth - 1, value * 5 + 2);
  }
  return tree;
}

static int32_t add(int32_t sum, int32_t value) {
  maybe_pause();
  return sum * 31 + value;
}
static int32_t mix(int32_t sum, int32_t value) { return (sum ^ value) * 16777619; }

static int32_t walk(const Tree *tree, int32_t sum, int32_t (*visit)(int32_t, int32_t)) {
  if (!tree) return sum;
  sum = walk(tree->left, sum, visit);
  sum = visit(sum, tree->value);
  return walk(tree->right, sum, visit);
}

// Through pointers, whom the visitor is told by.
EXPORT("callbacks") int32_t callbacks(int32_t times) {
  static Tree *tree;
  if (!tree) tree = grow(15, 1);
  pause_every(30000);
  int32_t sum = 0;
  for (int32_t i = 0; i < times; i++) {
    sum = walk(tree, sum, add);
    sum = walk(tree, sum, mix);
  }
  return sum;
}

// An expression of digits, + - * and brackets, by recursive descent.
static const char *next;
static int32_t expression(void);

static int32_t factor(void) {
  maybe_pause();
  int32_t value = 0;
  if (*next == '(') {
    next++;
    value = expression();
    next++;
    return value;
  }
  while (*next >= '0' && *next <= '9') value = value * 10 + (*next++ - '0');
  return value;
}

static int32_t term(void) {
  int32_t value = factor();
  while (*next == '*') {
    next++;
    value *= factor();
  }
  return value;
}

static int32_t expression(void) {
  int32_t value = term();
  while (*next == '+' || *next == '-') {
    int32_t sign = *next++ == '+' ? 1 : -1;
    value += sign * term();
  }
  return value;
}

static char *write_expression(char *to, int32_t depth, uint32_t *seed) {
  for (int32_t i = 0; i < 4; i++) {
    *seed = *seed * 1103515245 + 12345;
    if (i > 0) *to++ = "+-*+"[*seed >> 16 & 3];
    if (depth > 0 && i % 2) {
      *to++ = '(';
      to = write_expression(to, depth - 1, seed);
      *to++ = ')';
    } else {
      *to++ = (char)('1' + (*seed >> 20) % 9);
      *to++ = (char)('0' + (*seed >> 24) % 10);
    }
  }
  return to;
}

EXPORT("parser") int32_t parser(int32_t times) {
  static char text[1 << 20];
  uint32_t seed = 42;
  if (!*text) *write_expression(text, 12, &seed) = 0;
  pause_every(30000);
  int32_t sum = 0;
  for (int32_t i = 0; i < times; i++) {
    next = text;
    sum = sum * 31 + expression();
  }
  return sum;
}

// A loop around a call that seldom waits: what one turn costs.
EXPORT("matrix") int32_t matrix(int32_t times) {
  enum { N = 96 };
  static double a[N][N], b[N][N], c[N][N];
  for (int32_t i = 0; i < N; i++)
    for (int32_t j = 0; j < N; j++) a[i][j] = i - j, b[i][j] = (i * 7 + j) % 11;
  pause_every(N * 8);
  double sum = 0;
  for (int32_t t = 0; t < times; t++) {
    for (int32_t i = 0; i < N; i++)
      for (int32_t j = 0; j < N; j++) {
        maybe_pause();
        double dot = 0;
        for (int32_t k = 0; k < N; k++) dot += a[i][k] * b[k][j];
        c[i][j] = dot + t;
      }
    sum += c[t % N][N / 2];
  }
  return (int32_t)sum;
}
