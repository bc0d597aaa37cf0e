// zlib, packing and unpacking text in memory. The host may be waited for at each piece of input: between two calls of
// deflate, and in the middle of inflateBack, which asks for it itself.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "zlib.h"

__attribute__((import_module("env"), import_name("pause"))) void host_pause(void);
#define EXPORT(name) __attribute__((export_name(name)))

enum { SIZE = 1 << 20, PIECE = 1 << 15, WINDOW_BITS = 15 };

static unsigned char text[SIZE], packed[SIZE + SIZE / 8], unpacked[SIZE], window[1 << WINDOW_BITS];
static size_t packed_size, unpacked_size, at;

static void write_text(void) {
  static const char *const words[] = {"fiber ", "stack ", "wait, ", "the ", "promise ", "a ", "of ", "frame\n"};
  uint32_t seed = 42;
  for (size_t i = 0; i < SIZE;) {
    seed = seed * 1103515245 + 12345;
    const char *word = words[(seed >> 16) & 7];
    for (const char *c = word; *c && i < SIZE; c++) text[i++] = (unsigned char)*c;
    if (i < SIZE && (seed >> 20 & 3) == 0) text[i++] = (unsigned char)('0' + (seed >> 24) % 10);
  }
}

// Packs as many pieces, and gives the size of the result.
EXPORT("pack") uint32_t pack(int32_t level, int32_t pieces) {
  write_text();
  z_stream stream = {0};
  if (deflateInit2(&stream, level, Z_DEFLATED, -WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) return 0;
  stream.next_out = packed;
  stream.avail_out = sizeof packed;
  for (int32_t i = 0; i < pieces; i++) {
    host_pause();
    stream.next_in = text + (size_t)i * PIECE;
    stream.avail_in = PIECE;
    if (deflate(&stream, i + 1 < pieces ? Z_NO_FLUSH : Z_FINISH) == Z_STREAM_ERROR) return 0;
  }
  packed_size = stream.total_out;
  deflateEnd(&stream);
  return (uint32_t)(packed_size * 31 + crc32(0, packed, (unsigned)packed_size));
}

static unsigned next_input(void *data, z_const unsigned char **buffer) {
  (void)data;
  host_pause();
  size_t size = packed_size - at < 2048 ? packed_size - at : 2048;
  *buffer = packed + at;
  at += size;
  return (unsigned)size;
}

static int take_output(void *data, unsigned char *buffer, unsigned size) {
  (void)data;
  if (unpacked_size + size > SIZE) return 1;
  memcpy(unpacked + unpacked_size, buffer, size);
  unpacked_size += size;
  return 0;
}

// Unpacks what `pack` has left, so many times.
EXPORT("unpack") uint32_t unpack(int32_t times) {
  uint32_t sum = 0;
  for (int32_t i = 0; i < times; i++) {
    z_stream stream = {0};
    at = unpacked_size = 0;
    if (inflateBackInit(&stream, WINDOW_BITS, window) != Z_OK) return 0;
    if (inflateBack(&stream, next_input, NULL, take_output, NULL) != Z_STREAM_END) return 0;
    inflateBackEnd(&stream);
    sum = sum * 31 + (uint32_t)unpacked_size + (memcmp(text, unpacked, unpacked_size) == 0);
  }
  return sum;
}

// Check sums of the text, which call nothing that waits.
EXPORT("check") uint32_t check(int32_t times) {
  uint32_t sum = 0;
  write_text();
  for (int32_t i = 0; i < times; i++) {
    host_pause();
    sum = sum * 31 + (uint32_t)crc32(sum, text, SIZE) + (uint32_t)adler32(1, text, SIZE);
  }
  return sum;
}
