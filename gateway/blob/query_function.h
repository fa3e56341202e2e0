/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of a query (query_sql.h): those of SQLite's that it may call, and conversions of its own. */
#ifndef GATEWAY_BLOB_QUERY_FUNCTION_H
#define GATEWAY_BLOB_QUERY_FUNCTION_H

#include <stdbool.h>

struct sqlite3;

bool gk_query_function_allowed(const char *name);
/* gk_number, gk_int, gk_float, gk_text, gk_bool: what cannot be converted becomes NULL, and *failed true. Empty
 * text is NULL to all but gk_text. And LIKE, whose time is bounded whatever the pattern. */
bool gk_query_functions_add(struct sqlite3 *db, bool *failed);

#endif
