/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/store/readers.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/error.h"

/* More would not read faster, and each costs a page cache. */
#define CONNECTIONS_MAX 16u

struct gk_readers {
    char *path;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t given;
    struct gk_db connections[CONNECTIONS_MAX];
    struct gk_db *idle[CONNECTIONS_MAX];
    unsigned idle_count;
    unsigned open_count;
};

enum gk_status gk_readers_new(const char *path, struct gk_readers **out, struct gk_error *error)
{
    struct gk_readers *readers = calloc(1, sizeof *readers);
    if (readers == NULL || (readers->path = strdup(path)) == NULL) {
        free(readers);
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    pthread_mutex_init(&readers->mutex, NULL);
    pthread_cond_init(&readers->given, NULL);
    *out = readers;
    return GK_OK;
}

void gk_readers_free(struct gk_readers *readers)
{
    if (readers == NULL) {
        return;
    }
    for (unsigned i = 0; i < readers->open_count; i++) {
        gk_db_close(&readers->connections[i]);
    }
    pthread_cond_destroy(&readers->given);
    pthread_mutex_destroy(&readers->mutex);
    free(readers->path);
    free(readers);
}

struct gk_db *gk_readers_take(struct gk_readers *readers, struct gk_error *error)
{
    struct gk_db *db = NULL;
    pthread_mutex_lock(&readers->mutex);
    while (readers->idle_count == 0 && readers->open_count == CONNECTIONS_MAX) {
        pthread_cond_wait(&readers->given, &readers->mutex);
    }
    if (readers->idle_count > 0) {
        /* The last one given has the warmest cache. */
        db = readers->idle[--readers->idle_count];
    } else {
        db = &readers->connections[readers->open_count];
        if (gk_db_open(readers->path, false, db, error) == GK_OK) {
            readers->open_count++;
        } else {
            db = NULL;
        }
    }
    pthread_mutex_unlock(&readers->mutex);
    return db;
}

void gk_readers_give(struct gk_readers *readers, struct gk_db *db)
{
    pthread_mutex_lock(&readers->mutex);
    readers->idle[readers->idle_count++] = db;
    pthread_cond_signal(&readers->given);
    pthread_mutex_unlock(&readers->mutex);
}
