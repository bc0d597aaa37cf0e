// The SQLite guest with a function of SQL that may wait for the host in the middle of a statement: pause(), which is 1.
#include "sqlite.c"

IMPORT("pause") int32_t host_pause(void);

static void pause_here(sqlite3_context *context, int count, sqlite3_value **values) {
  (void)count, (void)values;
  sqlite3_result_int(context, host_pause());
}

EXPORT("db_add_pause") int32_t db_add_pause(sqlite3 *db) {
  return sqlite3_create_function(db, "pause", 0, SQLITE_UTF8, NULL, pause_here, NULL, NULL);
}
