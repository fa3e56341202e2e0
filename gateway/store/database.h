/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded engine's database: connections with their prepared statements, and SQLite's errors in
 * our words. A connection belongs to one thread at a time.
 */
#ifndef GATEWAY_STORE_DATABASE_H
#define GATEWAY_STORE_DATABASE_H

#include <sqlite3.h>

#include "common/span.h"

/* One prepared statement each; the SQL stands in database.c. */
enum gk_db_statement {
    GK_DB_BEGIN,
    GK_DB_COMMIT,
    GK_DB_ROLLBACK,
    GK_DB_OBJECT_FIND,   /* pool, name -> id, version, size, length of bytes */
    GK_DB_OBJECT_BYTES,  /* pool, name -> id, version, size, bytes */
    GK_DB_OBJECT_INSERT, /* pool, name, version, size, bytes */
    GK_DB_OBJECT_TOUCH,  /* id, version */
    GK_DB_OBJECT_GROW,   /* id, size: at least as long, and in blocks */
    GK_DB_OBJECT_DELETE, /* id */
    GK_DB_OBJECT_LIST,   /* pool, from -> name */
    GK_DB_ATTR_SET,      /* object, name, value */
    GK_DB_ATTR_DELETE,
    GK_DB_ATTR_ALL,        /* object -> name, value */
    GK_DB_ATTR_DELETE_ALL, /* object */
    GK_DB_MAP_SET,         /* object, key, value */
    GK_DB_MAP_DELETE,
    GK_DB_MAP_GET,        /* object, key -> value */
    GK_DB_MAP_WALK,       /* object, from -> key, value */
    GK_DB_MAP_DELETE_ALL, /* object */
    GK_DB_EXTENT_INSERT,  /* object, start, volume, offset, length */
    GK_DB_EXTENT_FIND,    /* object, from, to -> start, volume, offset, length */
    GK_DB_EXTENT_DELETE_ALL,
    GK_DB_EXTENT_EACH, /* -> volume, offset, length, in order */
    GK_DB_BLOCK_SET,   /* object, number, bytes */
    GK_DB_BLOCK_FIND,  /* object, from, to -> number, bytes, in order */
    GK_DB_BLOCK_DELETE_ALL,
    GK_DB_STATEMENTS_COUNT
};

struct gk_db {
    sqlite3 *handle;
    sqlite3_stmt *statements[GK_DB_STATEMENTS_COUNT];
};

/* Opens a connection; the writer makes the schema when there is none and refuses a newer one. */
enum gk_status gk_db_open(const char *path, bool writer, struct gk_db *db,
                          struct gk_error *error) GK_MUST_USE;
void gk_db_close(struct gk_db *db);

/* The statement, reset, prepared on first use; NULL when that fails. */
sqlite3_stmt *gk_db_use(struct gk_db *db, enum gk_db_statement statement);
/* Runs a statement without rows. */
enum gk_status gk_db_run(struct gk_db *db, sqlite3_stmt *statement,
                         struct gk_error *error) GK_MUST_USE;
/* One step: GK_OK with a row, GK_E_NOT_FOUND at the end (the statement is then reset). */
enum gk_status gk_db_row(struct gk_db *db, sqlite3_stmt *statement,
                         struct gk_error *error) GK_MUST_USE;
enum gk_status gk_db_fail(struct gk_db *db, struct gk_error *error);

/* The span must live until the statement is reset. */
void gk_db_bind_span(sqlite3_stmt *statement, int index, struct gk_span span);
struct gk_span gk_db_column_span(sqlite3_stmt *statement, int column);

#endif
