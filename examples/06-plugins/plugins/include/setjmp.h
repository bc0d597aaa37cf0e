// Of setjmp what Lua needs: WASI's C library has none. What the compiler makes of it is in setjmp.c.
#pragma once

typedef struct {
  void *place[4];
} jmp_buf[1];

int setjmp(jmp_buf buffer) __attribute__((returns_twice));
_Noreturn void longjmp(jmp_buf buffer, int value);
