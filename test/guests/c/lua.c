// Lua 5.4, with a C function that waits for the host in the middle of the interpreter: http_get(url) gives the body
// or raises an error that the program can catch.
#include <stdint.h>
#include <stdlib.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

#define IMPORT(name) __attribute__((import_module("env"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

// Waits for the response; a handle on it, or below zero if it failed.
IMPORT("http_get") int32_t host_get(const char *url, size_t length);
IMPORT("response_length") size_t host_length(int32_t response);
// Copies the body and lets go of the response.
IMPORT("response_take") void host_take(int32_t response, char *body);
IMPORT("sleep") void host_sleep(int32_t milliseconds);

static int http_get(lua_State *L) {
  size_t length;
  const char *url = luaL_checklstring(L, 1, &length);
  int32_t response = host_get(url, length);
  if (response < 0) return luaL_error(L, "no answer from %s", url);
  size_t size = host_length(response);
  luaL_Buffer buffer;
  host_take(response, luaL_buffinitsize(L, &buffer, size));
  luaL_pushresultsize(&buffer, size);
  return 1;
}

static int sleep_for(lua_State *L) {
  host_sleep((int32_t)luaL_checkinteger(L, 1));
  return 0;
}

EXPORT("lua_new") lua_State *new_state(void) {
  static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                       {LUA_COLIBNAME, luaopen_coroutine},
                                       {LUA_TABLIBNAME, luaopen_table},
                                       {LUA_STRLIBNAME, luaopen_string},
                                       {LUA_MATHLIBNAME, luaopen_math}};
  lua_State *L = luaL_newstate();
  if (!L) return NULL;
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
    lua_pop(L, 1);
  }
  lua_register(L, "http_get", http_get);
  lua_register(L, "sleep", sleep_for);
  return L;
}

EXPORT("lua_free") void free_state(lua_State *L) { lua_close(L); }

// A thread of its own in the state `L`: its stack is its own, the globals are shared. It lives as long as `L`.
EXPORT("lua_thread") lua_State *thread(lua_State *L) {
  lua_State *made = lua_newthread(L);
  luaL_ref(L, LUA_REGISTRYINDEX);
  return made;
}

// Runs a chunk. The status is Lua's; its first result, or the error, is then the result text.
EXPORT("lua_run") int32_t run(lua_State *L, const char *code, size_t length) {
  lua_settop(L, 0);
  int status = luaL_loadbuffer(L, code, length, "=chunk");
  if (status == LUA_OK) status = lua_pcall(L, 0, 1, 0);
  luaL_tolstring(L, -1, NULL);
  return status;
}

// The text that the last run left, valid until the next.
EXPORT("lua_result") const char *result(lua_State *L) { return lua_tostring(L, -1); }

EXPORT("lua_result_length") size_t result_length(lua_State *L) { return lua_rawlen(L, -1); }
