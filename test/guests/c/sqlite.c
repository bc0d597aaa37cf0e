// SQLite over a VFS whose every access waits for the host. A connection is used by one fiber at a time; many
// connections are in flight at once, also on the same file.
//
// Why that is sound in a build without mutexes: fibers change places only inside the VFS methods below that wait, and
// SQLite is written to run connections on threads, which may change places anywhere but under a static mutex. Under one
// it calls the VFS in two cases: sqlite3_initialize (sqlite3_os_init below) and seeding its random numbers
// (xRandomness), and neither waits here. Shared cache, which would be a third, is left out of the build.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite3.h"

#define IMPORT(name) __attribute__((import_module("env"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

// Each answers with an SQLite result code, unless it says otherwise.
IMPORT("vfs_open") int32_t vfs_open(const char *name, int32_t flags);  // a handle, or -1
IMPORT("vfs_close") int32_t vfs_close(int32_t file);
IMPORT("vfs_read") int32_t vfs_read(int32_t file, void *buffer, int32_t length, int64_t offset);  // bytes read
IMPORT("vfs_write") int32_t vfs_write(int32_t file, const void *buffer, int32_t length, int64_t offset);
IMPORT("vfs_truncate") int32_t vfs_truncate(int32_t file, int64_t size);
IMPORT("vfs_sync") int32_t vfs_sync(int32_t file, int32_t flags);
IMPORT("vfs_size") int64_t vfs_size(int32_t file);  // bytes
IMPORT("vfs_lock") int32_t vfs_lock(int32_t file, int32_t level);
IMPORT("vfs_unlock") int32_t vfs_unlock(int32_t file, int32_t level);
IMPORT("vfs_delete") int32_t vfs_delete(const char *name);
IMPORT("vfs_exists") int32_t vfs_exists(const char *name);  // 0 or 1
IMPORT("vfs_sleep") void vfs_sleep(int32_t microseconds);
// These never wait.
IMPORT("reserved") int32_t reserved(int32_t file);  // 0 or 1: somebody is about to write
IMPORT("random") void random_bytes(void *buffer, int32_t length);
IMPORT("now") double now(void);  // milliseconds since 1970

typedef struct {
  sqlite3_file base;
  int32_t handle;
} File;

static int32_t handle(sqlite3_file *file) { return ((File *)file)->handle; }

static int x_close(sqlite3_file *file) { return vfs_close(handle(file)); }

static int x_read(sqlite3_file *file, void *buffer, int length, sqlite3_int64 offset) {
  int32_t got = vfs_read(handle(file), buffer, length, offset);
  if (got < 0) return SQLITE_IOERR_READ;
  if (got == length) return SQLITE_OK;
  memset((char *)buffer + got, 0, (size_t)(length - got));
  return SQLITE_IOERR_SHORT_READ;
}

static int x_write(sqlite3_file *file, const void *buffer, int length, sqlite3_int64 offset) {
  return vfs_write(handle(file), buffer, length, offset);
}

static int x_truncate(sqlite3_file *file, sqlite3_int64 size) { return vfs_truncate(handle(file), size); }
static int x_sync(sqlite3_file *file, int flags) { return vfs_sync(handle(file), flags); }

static int x_file_size(sqlite3_file *file, sqlite3_int64 *size) {
  *size = vfs_size(handle(file));
  return SQLITE_OK;
}

static int x_lock(sqlite3_file *file, int level) { return vfs_lock(handle(file), level); }
static int x_unlock(sqlite3_file *file, int level) { return vfs_unlock(handle(file), level); }

static int x_check_reserved_lock(sqlite3_file *file, int *result) {
  *result = reserved(handle(file));
  return SQLITE_OK;
}

static int x_file_control(sqlite3_file *file, int operation, void *argument) {
  (void)file, (void)operation, (void)argument;
  return SQLITE_NOTFOUND;
}

static int x_sector_size(sqlite3_file *file) {
  (void)file;
  return 512;
}

static int x_device_characteristics(sqlite3_file *file) {
  (void)file;
  return 0;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = x_close,
    .xRead = x_read,
    .xWrite = x_write,
    .xTruncate = x_truncate,
    .xSync = x_sync,
    .xFileSize = x_file_size,
    .xLock = x_lock,
    .xUnlock = x_unlock,
    .xCheckReservedLock = x_check_reserved_lock,
    .xFileControl = x_file_control,
    .xSectorSize = x_sector_size,
    .xDeviceCharacteristics = x_device_characteristics,
};

static int x_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
  (void)vfs;
  file->pMethods = NULL;
  int32_t opened = vfs_open(name, flags);
  if (opened < 0) return SQLITE_CANTOPEN;
  ((File *)file)->handle = opened;
  file->pMethods = &methods;
  if (out) *out = flags;
  return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *vfs, const char *name, int sync) {
  (void)vfs, (void)sync;
  return vfs_delete(name);
}

static int x_access(sqlite3_vfs *vfs, const char *name, int flags, int *result) {
  (void)vfs, (void)flags;
  *result = vfs_exists(name);
  return SQLITE_OK;
}

static int x_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out) {
  (void)vfs;
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

static int x_randomness(sqlite3_vfs *vfs, int length, char *out) {
  (void)vfs;
  random_bytes(out, length);
  return length;
}

static int x_sleep(sqlite3_vfs *vfs, int microseconds) {
  (void)vfs;
  vfs_sleep(microseconds);
  return microseconds;
}

static int x_current_time(sqlite3_vfs *vfs, double *day) {
  (void)vfs;
  *day = now() / 86400000.0 + 2440587.5;
  return SQLITE_OK;
}

static int x_get_last_error(sqlite3_vfs *vfs, int size, char *out) {
  (void)vfs, (void)size, (void)out;
  return 0;
}

int sqlite3_os_init(void) {
  static sqlite3_vfs vfs = {
      .iVersion = 1,
      .szOsFile = sizeof(File),
      .mxPathname = 256,
      .zName = "host",
      .xOpen = x_open,
      .xDelete = x_delete,
      .xAccess = x_access,
      .xFullPathname = x_full_pathname,
      .xRandomness = x_randomness,
      .xSleep = x_sleep,
      .xCurrentTime = x_current_time,
      .xGetLastError = x_get_last_error,
  };
  return sqlite3_vfs_register(&vfs, 1);
}

int sqlite3_os_end(void) { return SQLITE_OK; }

// Somebody else has the lock: waits as often as it takes, within reason.
static int on_busy(void *data, int count) {
  (void)data;
  vfs_sleep(1000);
  return count < 100000;
}

// A connection, or null.
EXPORT("db_open") sqlite3 *db_open(const char *name) {
  sqlite3 *db = NULL;
  if (sqlite3_open(name, &db) != SQLITE_OK) {
    sqlite3_close(db);
    return NULL;
  }
  sqlite3_busy_handler(db, on_busy, NULL);
  return db;
}

EXPORT("db_close") int32_t db_close(sqlite3 *db) { return sqlite3_close(db); }

EXPORT("db_exec") int32_t db_exec(sqlite3 *db, const char *sql) { return sqlite3_exec(db, sql, NULL, NULL, NULL); }

EXPORT("db_error") const char *db_error(sqlite3 *db) { return sqlite3_errmsg(db); }

static int append_row(void *data, int columns, char **values, char **names) {
  (void)names;
  sqlite3_str *text = data;
  for (int i = 0; i < columns; i++) sqlite3_str_appendf(text, i ? "|%s" : "%s", values[i] ? values[i] : "NULL");
  sqlite3_str_append(text, "\n", 1);
  return 0;
}

// The rows as text, a line each, columns between bars; null on failure. Give it back to db_free_text.
EXPORT("db_query") char *db_query(sqlite3 *db, const char *sql) {
  sqlite3_str *text = sqlite3_str_new(db);
  int status = sqlite3_exec(db, sql, append_row, text, NULL);
  sqlite3_str_append(text, "", 0);
  char *rows = sqlite3_str_finish(text);
  if (status == SQLITE_OK) return rows ? rows : sqlite3_mprintf("");
  sqlite3_free(rows);
  return NULL;
}

EXPORT("db_free_text") void db_free_text(char *text) { sqlite3_free(text); }
