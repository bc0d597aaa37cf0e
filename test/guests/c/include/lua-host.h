// Included before every file of Lua: errors leave by way of the host instead of by longjmp. The host calls the body
// of a protected call from the middle of the stack, and throws what `raise` asks for through the frames above it.
#pragma once

__attribute__((import_module("env"), import_name("protected_call"))) int lua_host_call(void (*body)(), void *L,
                                                                                       void *data);
__attribute__((import_module("env"), import_name("raise"), noreturn)) void lua_host_raise(int status);

#define luai_jmpbuf int
// Expanded in luaD_rawrunprotected, whose parameters are L, f and ud. The status is in the jump buffer already.
#define LUAI_TRY(L, c, a) ((void)lua_host_call((void (*)())f, L, ud))
#define LUAI_THROW(L, c) lua_host_raise((c)->status)

// Lua wants a type for its hook flag and would include <signal.h> for it.
#define l_signalT int

// WASI has no processor clock to choose a pivot by.
#define l_randomizePivot() 0u
