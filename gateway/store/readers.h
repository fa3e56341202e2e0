/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of read connections: each sees one committed state for the length of a statement. */
#ifndef GATEWAY_STORE_READERS_H
#define GATEWAY_STORE_READERS_H

#include "gateway/store/database.h"

struct gk_readers;

enum gk_status gk_readers_new(const char *path, struct gk_readers **out,
                              struct gk_error *error) GK_MUST_USE;
void gk_readers_free(struct gk_readers *readers);
/* Waits when all connections are lent. NULL when one cannot be opened. */
struct gk_db *gk_readers_take(struct gk_readers *readers, struct gk_error *error);
void gk_readers_give(struct gk_readers *readers, struct gk_db *db);

#endif
