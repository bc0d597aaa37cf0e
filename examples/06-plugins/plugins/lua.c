// Lua as a plugin: `run` takes a script, a byte 0 and a text, and returns the text that the script does. Lua itself is compiled as
// it comes from its authors; its errors jump (setjmp.c), so that `pcall` works, and works around a call that waits.
//
// What holds: each call has an interpreter of its own, so that no script finds what another one has left. A call that is ended
// while it waits leaves its interpreter behind, which the next one closes; for that an instance must have one call at a time.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

#define IMPORT(name) __attribute__((import_module("editor"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

// Waits for what the host knows of a word: address and length in one, of length 0 if that is nothing.
IMPORT("lookup") uint64_t host_lookup(const char *word, uint32_t length);
// Ends the call with this message.
IMPORT("fail") _Noreturn void host_fail(const char *message, uint32_t length);

// lookup(word): the meaning of a word, or an error, which the script can catch.
static int lookup(lua_State *L) {
  size_t length;
  const char *word = luaL_checklstring(L, 1, &length);
  uint64_t answer = host_lookup(word, length);
  if ((uint32_t)answer == 0) return luaL_error(L, "no meaning of '%s' is known", word);
  char *meaning = (char *)(uintptr_t)(answer >> 32);
  lua_pushlstring(L, meaning, (uint32_t)answer);
  free(meaning);
  return 1;
}

static lua_State *open(const char *text, size_t length) {
  static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                       {LUA_COLIBNAME, luaopen_coroutine},
                                       {LUA_TABLIBNAME, luaopen_table},
                                       {LUA_STRLIBNAME, luaopen_string},
                                       {LUA_MATHLIBNAME, luaopen_math},
                                       {LUA_UTF8LIBNAME, luaopen_utf8}};
  lua_State *L = luaL_newstate();
  if (L == NULL) __builtin_trap();
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
    lua_pop(L, 1);
  }
  lua_register(L, "lookup", lookup);
  lua_pushlstring(L, text, length);
  lua_setglobal(L, "text");
  return L;
}

EXPORT("run") uint64_t run(const char *input, uint32_t length) {
  static lua_State *running;
  static char message[1000];
  if (running != NULL) lua_close(running);

  const char *end = memchr(input, 0, length);
  size_t script = end == NULL ? length : (size_t)(end - input);
  size_t text = end == NULL ? 0 : length - script - 1;
  lua_State *L = running = open(end == NULL ? input : end + 1, text);
  int status = luaL_loadbufferx(L, input, script, "=script", "t");
  if (status == LUA_OK) status = lua_pcall(L, 0, 1, 0);

  size_t size;
  const char *result = lua_isnil(L, -1) ? (size = 0, "") : luaL_tolstring(L, -1, &size);
  char *copy = message;
  if (status == LUA_OK) copy = malloc(size == 0 ? 1 : size);
  else if (size > sizeof message) size = sizeof message;
  memcpy(copy, result, size);
  lua_close(L);
  running = NULL;
  if (status != LUA_OK) host_fail(message, size);
  return (uint64_t)(uintptr_t)copy << 32 | size;
}
