// Lines of at most 64 columns: `wrap` breaks each paragraph anew, `justify` stretches its lines to both margins as well. It needs
// nothing of the host, and its manifest asks for nothing.
//
// What holds: nothing is written beyond the room for the longest that a text can become. Where a line is stretched, the next word did
// not fit: so it gets no more blanks than that word has bytes, and one. With W bytes in C words, and W + C at most one more than the
// text, the result has 2 W + 4 C bytes at most: three for each of the text, and three.
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(name)))

enum { COLUMNS = 64 };

struct word {
  const char *start;
  uint32_t length, columns;
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/** Bytes that continue a character of UTF-8 take no column. */
static uint32_t columns_of(const char *text, uint32_t length) {
  uint32_t columns = 0;
  for (uint32_t i = 0; i < length; i++) columns += (text[i] & 0xC0) != 0x80;
  return columns;
}

static char *put(char *to, const char *from, uint32_t length) {
  memcpy(to, from, length);
  return to + length;
}

/** One line; the columns that are left over go between its words, from the left, if it is to be full. */
static char *put_line(char *to, const struct word *words, uint32_t count, uint32_t columns, bool full) {
  uint32_t gaps = count - 1;
  uint32_t spare = full && gaps > 0 && columns < COLUMNS ? COLUMNS - columns : 0;
  for (uint32_t i = 0; i < count; i++) {
    to = put(to, words[i].start, words[i].length);
    if (i == gaps) break;
    uint32_t blanks = 1 + spare / gaps + (i < spare % gaps);
    memset(to, ' ', blanks);
    to += blanks;
  }
  *to++ = '\n';
  return to;
}

/** The words of one paragraph; `*at` is then the next one's first byte, or the end. */
static uint32_t words_of(const char **at, const char *end, struct word *words) {
  uint32_t count = 0, breaks = 0;
  const char *p = *at;
  while (p < end) {
    if (is_blank(*p)) {
      breaks += *p++ == '\n';
      continue;
    }
    if (breaks > 1 && count > 0) break;
    breaks = 0;
    const char *start = p;
    while (p < end && !is_blank(*p)) p++;
    words[count++] = (struct word){start, p - start, columns_of(start, p - start)};
  }
  *at = p;
  return count;
}

static uint64_t fill(const char *text, uint32_t length, bool full) {
  // The host gives no more than some megabytes, so that nothing of this overflows.
  struct word *words = malloc((length / 2 + 1) * sizeof *words);
  char *result = malloc(3 * length + 3);
  if (words == NULL || result == NULL) __builtin_trap();
  const char *at = text, *end = text + length;
  char *to = result;
  for (uint32_t count; (count = words_of(&at, end, words)) > 0;) {
    if (to != result) *to++ = '\n';
    for (uint32_t first = 0, next; first < count; first = next) {
      uint32_t columns = words[first].columns;
      for (next = first + 1; next < count && columns + 1 + words[next].columns <= COLUMNS; next++) {
        columns += 1 + words[next].columns;
      }
      to = put_line(to, words + first, next - first, columns, full && next < count);
    }
  }
  free(words);
  return (uint64_t)(uintptr_t)result << 32 | (uint32_t)(to - result);
}

EXPORT("wrap") uint64_t wrap(const char *text, uint32_t length) { return fill(text, length, false); }

EXPORT("justify") uint64_t justify(const char *text, uint32_t length) { return fill(text, length, true); }
