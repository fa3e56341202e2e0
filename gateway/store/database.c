/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/store/database.h"

#include <pthread.h>
#include <stdio.h>

#include "common/error.h"

#define SCHEMA_VERSION 2

static const char *const sql[GK_DB_STATEMENTS_COUNT] = {
    [GK_DB_BEGIN] = "BEGIN IMMEDIATE",
    [GK_DB_COMMIT] = "COMMIT",
    [GK_DB_ROLLBACK] = "ROLLBACK",
    [GK_DB_OBJECT_FIND] =
        "SELECT id, version, size, length(bytes) FROM object WHERE pool = ? AND name = ?",
    [GK_DB_OBJECT_BYTES] =
        "SELECT id, version, size, bytes FROM object WHERE pool = ? AND name = ?",
    [GK_DB_OBJECT_INSERT] =
        "INSERT INTO object (pool, name, version, size, bytes) VALUES (?, ?, ?, ?, ?)",
    [GK_DB_OBJECT_TOUCH] = "UPDATE object SET version = ?2 WHERE id = ?1",
    [GK_DB_OBJECT_GROW] = "UPDATE object SET bytes = x'', size = max(size, ?2) WHERE id = ?1",
    [GK_DB_OBJECT_DELETE] = "DELETE FROM object WHERE id = ?",
    [GK_DB_OBJECT_LIST] = "SELECT name FROM object WHERE pool = ? AND name > ? ORDER BY name",
    [GK_DB_ATTR_SET] = "INSERT OR REPLACE INTO attr (object, name, value) VALUES (?, ?, ?)",
    [GK_DB_ATTR_DELETE] = "DELETE FROM attr WHERE object = ? AND name = ?",
    [GK_DB_ATTR_ALL] = "SELECT name, value FROM attr WHERE object = ? ORDER BY name",
    [GK_DB_ATTR_DELETE_ALL] = "DELETE FROM attr WHERE object = ?",
    [GK_DB_MAP_SET] = "INSERT OR REPLACE INTO map (object, key, value) VALUES (?, ?, ?)",
    [GK_DB_MAP_DELETE] = "DELETE FROM map WHERE object = ? AND key = ?",
    [GK_DB_MAP_GET] = "SELECT value FROM map WHERE object = ? AND key = ?",
    [GK_DB_MAP_WALK] = "SELECT key, value FROM map WHERE object = ? AND key >= ? ORDER BY key",
    [GK_DB_MAP_DELETE_ALL] = "DELETE FROM map WHERE object = ?",
    [GK_DB_EXTENT_INSERT] =
        "INSERT INTO extent (object, start, volume, offset, length) VALUES (?, ?, ?, ?, ?)",
    [GK_DB_EXTENT_FIND] = ("SELECT start, volume, offset, length FROM extent WHERE object = ?1 "
                           "AND start < ?3 AND start + length > ?2 ORDER BY start"),
    [GK_DB_EXTENT_DELETE_ALL] = "DELETE FROM extent WHERE object = ?",
    [GK_DB_EXTENT_EACH] = "SELECT volume, offset, length FROM extent ORDER BY volume, offset",
    [GK_DB_BLOCK_SET] = "INSERT OR REPLACE INTO block (object, number, bytes) VALUES (?, ?, ?)",
    [GK_DB_BLOCK_FIND] = ("SELECT number, bytes FROM block WHERE object = ?1 AND number >= ?2 "
                          "AND number < ?3 ORDER BY number"),
    [GK_DB_BLOCK_DELETE_ALL] = "DELETE FROM block WHERE object = ?",
};

/* What version 2 has beside version 1: the bytes of objects that are written in place. */
#define BLOCKS                                                                                     \
    "CREATE TABLE block (object INTEGER NOT NULL, number INTEGER NOT NULL, bytes BLOB NOT NULL,"   \
    " PRIMARY KEY (object, number)) WITHOUT ROWID;"                                                \
    "PRAGMA user_version = 2;"

/*
 * object.bytes holds small contents; larger ones stand in extents, and in blocks what is written in
 * place. Maps and attributes are clustered by object, so a walk is one range of one tree.
 */
static const char schema[] =
    "BEGIN;"
    "CREATE TABLE object (id INTEGER PRIMARY KEY, pool INTEGER NOT NULL, name BLOB NOT NULL,"
    " version INTEGER NOT NULL, size INTEGER NOT NULL, bytes BLOB, UNIQUE (pool, name));"
    "CREATE TABLE attr (object INTEGER NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL,"
    " PRIMARY KEY (object, name)) WITHOUT ROWID;"
    "CREATE TABLE map (object INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,"
    " PRIMARY KEY (object, key)) WITHOUT ROWID;"
    "CREATE TABLE extent (object INTEGER NOT NULL, start INTEGER NOT NULL,"
    " volume INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,"
    " PRIMARY KEY (object, start)) WITHOUT ROWID;" BLOCKS "COMMIT;";
static const char schema_of_1[] = "BEGIN;" BLOCKS "COMMIT;";

enum gk_status gk_db_fail(struct gk_db *db, struct gk_error *error)
{
    const int code = sqlite3_errcode(db->handle) & 0xff;
    const enum gk_status status = code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? GK_E_INTEGRITY
                                  : code == SQLITE_BUSY || code == SQLITE_LOCKED  ? GK_E_UNAVAILABLE
                                                                                  : GK_E_RESOURCE;
    return gk_fail(error, status, "the store's database: %s", sqlite3_errmsg(db->handle));
}

static enum gk_status execute(struct gk_db *db, const char *text, struct gk_error *error)
{
    return sqlite3_exec(db->handle, text, NULL, NULL, NULL) == SQLITE_OK ? GK_OK
                                                                         : gk_db_fail(db, error);
}

static enum gk_status read_schema_version(struct gk_db *db, int *version, struct gk_error *error)
{
    sqlite3_stmt *statement = NULL;
    enum gk_status status = GK_OK;
    if (sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        *version = sqlite3_column_int(statement, 0);
    } else {
        status = gk_db_fail(db, error);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum gk_status prepare_schema(struct gk_db *db, struct gk_error *error)
{
    int version = 0;
    enum gk_status status = read_schema_version(db, &version, error);
    if (status == GK_OK && version == 0) {
        status = execute(db, schema, error);
    } else if (status == GK_OK && version == 1) {
        status = execute(db, schema_of_1, error);
    } else if (status == GK_OK && version != SCHEMA_VERSION) {
        status = gk_fail(error, GK_E_UNSUPPORTED,
                         "the store was written by a newer version (schema %d, this one knows %d)",
                         version, SCHEMA_VERSION);
    }
    return status;
}

/* SQLite counts its memory under a lock of the whole process, which all readers would queue at.
 * Nothing to be done when it has been initialised by then. */
static pthread_once_t configured = PTHREAD_ONCE_INIT;

static void configure(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum gk_status gk_db_open(const char *path, bool writer, struct gk_db *db, struct gk_error *error)
{
    *db = (struct gk_db){0};
    pthread_once(&configured, configure);
    const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW |
                      (writer ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK) {
        const enum gk_status status = gk_db_fail(db, error);
        gk_db_close(db);
        return status;
    }
    sqlite3_busy_timeout(db->handle, 10000);
    /* FULL: a commit is durable when it returns, and readers see it only then. Checkpoints are run
     * by the engine, beside the commits. FAST: a removed record, and the sealed key in it, is
     * overwritten; a page that is freed as a whole keeps sealed bytes, without their key, until it is
     * used again. */
    enum gk_status status =
        execute(db,
                writer ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                         "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -16384;"
                         "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
                         "PRAGMA secure_delete = FAST;"
                       : "PRAGMA query_only = ON; PRAGMA cache_size = -1024;"
                         "PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
                error);
    if (status == GK_OK && writer) {
        status = prepare_schema(db, error);
    }
    if (status != GK_OK) {
        gk_db_close(db);
    }
    return status;
}

void gk_db_close(struct gk_db *db)
{
    for (size_t i = 0; i < GK_DB_STATEMENTS_COUNT; i++) {
        sqlite3_finalize(db->statements[i]);
    }
    sqlite3_close(db->handle);
    *db = (struct gk_db){0};
}

sqlite3_stmt *gk_db_use(struct gk_db *db, enum gk_db_statement statement)
{
    if (db->statements[statement] == NULL) {
        (void)sqlite3_prepare_v3(db->handle, sql[statement], -1, SQLITE_PREPARE_PERSISTENT,
                                 &db->statements[statement], NULL);
    } else {
        sqlite3_reset(db->statements[statement]);
    }
    return db->statements[statement];
}

enum gk_status gk_db_run(struct gk_db *db, sqlite3_stmt *statement, struct gk_error *error)
{
    if (statement == NULL) {
        return gk_db_fail(db, error);
    }
    const int result = sqlite3_step(statement);
    const enum gk_status status = result == SQLITE_DONE ? GK_OK : gk_db_fail(db, error);
    sqlite3_reset(statement);
    return status;
}

enum gk_status gk_db_row(struct gk_db *db, sqlite3_stmt *statement, struct gk_error *error)
{
    if (statement == NULL) {
        return gk_db_fail(db, error);
    }
    const int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        return GK_OK;
    }
    const enum gk_status status = result == SQLITE_DONE ? GK_E_NOT_FOUND : gk_db_fail(db, error);
    sqlite3_reset(statement);
    return status;
}

void gk_db_bind_span(sqlite3_stmt *statement, int index, struct gk_span span)
{
    if (span.len == 0) {
        sqlite3_bind_zeroblob(statement, index, 0);
    } else {
        sqlite3_bind_blob64(statement, index, span.data, span.len, SQLITE_STATIC);
    }
}

struct gk_span gk_db_column_span(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);
    return gk_span_of(data, (size_t)sqlite3_column_bytes(statement, column));
}
