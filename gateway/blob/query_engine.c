/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/query_engine.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/query_aggregate.h"
#include "gateway/blob/query_function.h"
#include "gateway/http/request.h"

#define SQL_BYTES_MAX    (8 << 20)
#define EXPRESSION_DEPTH 64

struct gk_query_engine {
    const struct gk_query_sql *sql;
    const struct gk_query_reader *reader;
    sqlite3 *db;
    sqlite3_stmt *where;                   /* NULL: all records */
    sqlite3_stmt *items;                   /* NULL: none is evaluated */
    uint32_t fields[GK_QUERY_COLUMNS_MAX]; /* of delimited text, by column */
    int results[GK_QUERY_ITEMS_MAX];       /* which of items' an item is; -1: none */
    struct gk_query_aggregate aggregates[GK_QUERY_ITEMS_MAX];
    bool failed; /* a conversion has, of this record */
};

/* --- making -------------------------------------------------------------------------------------*/

static int authorize(void *ctx, int action, const char *first, const char *second,
                     const char *database, const char *trigger)
{
    (void)ctx, (void)first, (void)database, (void)trigger;
    return action == SQLITE_SELECT ||
                   (action == SQLITE_FUNCTION && gk_query_function_allowed(second))
               ? SQLITE_OK
               : SQLITE_DENY;
}

static enum gk_status open_database(struct gk_query_engine *engine, struct gk_error *error)
{
    static const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(":memory:", &engine->db, flags, NULL) != SQLITE_OK ||
        !gk_query_functions_add(engine->db, &engine->failed)) {
        return gk_fail(error, GK_E_RESOURCE, "a query has no memory");
    }
    sqlite3_limit(engine->db, SQLITE_LIMIT_LENGTH, SQL_BYTES_MAX);
    sqlite3_limit(engine->db, SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX);
    sqlite3_limit(engine->db, SQLITE_LIMIT_EXPR_DEPTH, EXPRESSION_DEPTH);
    sqlite3_limit(engine->db, SQLITE_LIMIT_COMPOUND_SELECT, 1);
    sqlite3_limit(engine->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(engine->db, SQLITE_LIMIT_VARIABLE_NUMBER, (int)GK_QUERY_COLUMNS_MAX);
    sqlite3_limit(engine->db, SQLITE_LIMIT_WORKER_THREADS, 0);
    sqlite3_set_authorizer(engine->db, authorize, NULL);
    return GK_OK;
}

static enum gk_status prepare(struct gk_query_engine *engine, const struct gk_buf *text,
                              sqlite3_stmt **out, struct gk_error *error)
{
    const char *tail = NULL;
    if (gk_buf_status(text) != GK_OK) {
        return gk_refuse_because(error, 400, "InvalidInput", "The query is too long.");
    }
    const int code = sqlite3_prepare_v2(engine->db, gk_buf_str(text), (int)text->len, out, &tail);
    return code == SQLITE_OK && *out != NULL && *tail == '\0'
               ? GK_OK
               : gk_refuse_because(error, 400, "InvalidInput", "The query: %s.",
                                   sqlite3_errmsg(engine->db));
}

static enum gk_status prepare_where(struct gk_query_engine *engine, struct gk_error *error)
{
    if (engine->sql->where.len == 0) {
        return GK_OK;
    }
    struct gk_buf text;
    gk_buf_init(&text, SQL_BYTES_MAX);
    gk_buf_printf(&text, "SELECT (%s)", gk_buf_str(&engine->sql->where));
    const enum gk_status status = prepare(engine, &text, &engine->where, error);
    gk_buf_cleanup(&text);
    return status;
}

static enum gk_status prepare_items(struct gk_query_engine *engine, struct gk_error *error)
{
    struct gk_buf text;
    int count = 0;
    enum gk_status status = GK_OK;
    gk_buf_init(&text, SQL_BYTES_MAX);
    for (uint32_t i = 0; i < engine->sql->items_count; i++) {
        const struct gk_query_item *item = &engine->sql->items[i];
        engine->results[i] = -1;
        if (item->sql.len > 0) {
            gk_buf_printf(&text, "%s(%s)", count == 0 ? "SELECT " : ", ", gk_buf_str(&item->sql));
            engine->results[i] = count++;
        }
    }
    if (count > 0) {
        status = prepare(engine, &text, &engine->items, error);
    }
    gk_buf_cleanup(&text);
    return status;
}

static enum gk_status find_columns(struct gk_query_engine *engine, struct gk_error *error)
{
    const struct gk_query_sql *sql = engine->sql;
    for (uint32_t i = 0; i < sql->columns_count; i++) {
        const struct gk_span name = sql->columns[i].steps[0].name;
        if (engine->reader->format->kind == GK_QUERY_DELIMITED &&
            !gk_query_reader_find(engine->reader, &sql->columns[i], &engine->fields[i])) {
            return gk_refuse_because(error, 400, "InvalidInput",
                                     "The query: there is no column '%.*s'.",
                                     (int)(name.len < 80 ? name.len : 80), (const char *)name.data);
        }
    }
    return GK_OK;
}

enum gk_status gk_query_engine_new(const struct gk_query_sql *sql,
                                   const struct gk_query_reader *reader,
                                   struct gk_query_engine **out, struct gk_error *error)
{
    struct gk_query_engine *engine = calloc(1, sizeof *engine);
    *out = engine;
    if (engine == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    engine->sql = sql;
    engine->reader = reader;
    for (uint32_t i = 0; i < sql->items_count; i++) {
        gk_query_aggregate_init(&engine->aggregates[i], sql->items[i].kind);
    }
    enum gk_status status = open_database(engine, error);
    if (status == GK_OK) {
        status = find_columns(engine, error);
    }
    if (status == GK_OK) {
        status = prepare_where(engine, error);
    }
    return status == GK_OK ? prepare_items(engine, error) : status;
}

void gk_query_engine_free(struct gk_query_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    sqlite3_finalize(engine->where);
    sqlite3_finalize(engine->items);
    sqlite3_close(engine->db);
    for (uint32_t i = 0; i < engine->sql->items_count; i++) {
        gk_query_aggregate_cleanup(&engine->aggregates[i]);
    }
    free(engine);
}

/* --- values -------------------------------------------------------------------------------------*/

struct gk_query_value gk_query_value_of(const json_t *json)
{
    struct gk_query_value value = {.kind = GK_QUERY_VALUE_NULL};
    switch (json == NULL ? JSON_NULL : json_typeof(json)) {
    case JSON_STRING:
        value.kind = GK_QUERY_VALUE_TEXT;
        value.text = gk_span_of(json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        value.kind = GK_QUERY_VALUE_INTEGER;
        value.integer = json_integer_value(json);
        break;
    case JSON_REAL:
        value.kind = GK_QUERY_VALUE_REAL;
        value.real = json_real_value(json);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_OBJECT:
    case JSON_ARRAY:
        value.kind = GK_QUERY_VALUE_JSON;
        value.json = json;
        break;
    case JSON_NULL:
        break;
    }
    return value;
}

static void column_value(const struct gk_query_engine *engine, uint32_t column,
                         struct gk_query_value *value)
{
    const struct gk_query_reader *reader = engine->reader;
    if (reader->format->kind == GK_QUERY_JSON) {
        *value = gk_query_value_of(gk_query_reader_value(reader, &engine->sql->columns[column]));
        return;
    }
    const uint32_t field = engine->fields[column];
    *value = (struct gk_query_value){.kind = field < reader->count ? GK_QUERY_VALUE_TEXT
                                                                   : GK_QUERY_VALUE_NULL,
                                     .text = gk_query_reader_field(reader, field)};
}

/* --- records ------------------------------------------------------------------------------------*/

static int bind_value(sqlite3_stmt *statement, int at, const struct gk_query_value *value)
{
    switch (value->kind) {
    case GK_QUERY_VALUE_INTEGER:
        return sqlite3_bind_int64(statement, at, value->integer);
    case GK_QUERY_VALUE_REAL:
        return sqlite3_bind_double(statement, at, value->real);
    case GK_QUERY_VALUE_TEXT:
        return sqlite3_bind_text(statement, at,
                                 value->text.len == 0 ? "" : (const char *)value->text.data,
                                 (int)value->text.len, SQLITE_STATIC);
    case GK_QUERY_VALUE_JSON:
        return json_is_boolean(value->json)
                   ? sqlite3_bind_int(statement, at, json_is_true(value->json))
                   : sqlite3_bind_text(statement, at, json_dumps(value->json, JSON_COMPACT), -1,
                                       free);
    case GK_QUERY_VALUE_NULL:
        break;
    }
    return sqlite3_bind_null(statement, at);
}

static enum gk_status run(struct gk_query_engine *engine, sqlite3_stmt *statement,
                          struct gk_error *error)
{
    const int parameters = sqlite3_bind_parameter_count(statement);
    int code = SQLITE_OK;
    sqlite3_reset(statement);
    for (int at = 1; at <= parameters && code == SQLITE_OK; at++) {
        struct gk_query_value value;
        column_value(engine, (uint32_t)at - 1, &value);
        code = bind_value(statement, at, &value);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    if (code == SQLITE_NOMEM) {
        return gk_fail(error, GK_E_RESOURCE, "a query has no memory");
    }
    engine->failed = engine->failed || code != SQLITE_ROW; /* a value is out of all bounds */
    return GK_OK;
}

static void result_value(sqlite3_stmt *statement, int at, struct gk_query_value *value)
{
    *value = (struct gk_query_value){.kind = GK_QUERY_VALUE_NULL};
    switch (sqlite3_column_type(statement, at)) {
    case SQLITE_INTEGER:
        value->kind = GK_QUERY_VALUE_INTEGER;
        value->integer = sqlite3_column_int64(statement, at);
        break;
    case SQLITE_FLOAT:
        value->kind = GK_QUERY_VALUE_REAL;
        value->real = sqlite3_column_double(statement, at);
        break;
    case SQLITE_NULL:
        break;
    default:
        value->kind = GK_QUERY_VALUE_TEXT;
        value->text.data = sqlite3_column_text(statement, at);
        value->text.len = (size_t)sqlite3_column_bytes(statement, at);
    }
}

static void count_in(struct gk_query_engine *engine)
{
    for (uint32_t i = 0; i < engine->sql->items_count; i++) {
        struct gk_query_value value = {.kind = GK_QUERY_VALUE_NULL};
        if (engine->results[i] >= 0) {
            result_value(engine->items, engine->results[i], &value);
        }
        gk_query_aggregate_add(&engine->aggregates[i], &value);
    }
}

enum gk_status gk_query_engine_take(struct gk_query_engine *engine, enum gk_query_result *result,
                                    struct gk_error *error)
{
    enum gk_status status = GK_OK;
    bool matches = true;
    engine->failed = false;
    if (engine->where != NULL) {
        status = run(engine, engine->where, error);
        matches =
            !engine->failed && status == GK_OK && sqlite3_column_double(engine->where, 0) != 0;
    }
    if (status == GK_OK && matches && engine->items != NULL) {
        status = run(engine, engine->items, error);
    }
    *result = engine->failed ? GK_QUERY_CANNOT_CONVERT
              : matches      ? GK_QUERY_MATCHES
                             : GK_QUERY_DOES_NOT;
    if (status == GK_OK && *result == GK_QUERY_MATCHES && engine->sql->aggregates) {
        count_in(engine);
    }
    return status;
}

void gk_query_engine_item(struct gk_query_engine *engine, uint32_t item,
                          struct gk_query_value *value)
{
    if (engine->sql->aggregates) {
        gk_query_aggregate_end(&engine->aggregates[item], value);
    } else if (engine->results[item] >= 0) {
        result_value(engine->items, engine->results[item], value);
    } else {
        column_value(engine, engine->sql->items[item].column, value);
    }
}
