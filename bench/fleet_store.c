/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/fleet_store.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/span.h"

#define ATTRS 3u

struct attr {
    char *name; /* with its value in one piece; NULL: none */
    size_t len;
};

struct account {
    uint64_t version; /* 0: it is not there */
    struct attr attrs[ATTRS];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct account *accounts;
static unsigned accounts_count;
static size_t bytes;

void fleet_store_init(unsigned count)
{
    accounts = calloc(count, sizeof *accounts);
    if (accounts == NULL) {
        abort();
    }
    accounts_count = count;
    bytes = malloc_usable_size(accounts);
}

static void drop(struct attr *attr)
{
    bytes -= attr->name == NULL ? 0 : malloc_usable_size(attr->name) + sizeof(size_t);
    free(attr->name);
    *attr = (struct attr){0};
}

void fleet_store_cleanup(void)
{
    for (unsigned i = 0; i < accounts_count; i++) {
        for (unsigned j = 0; j < ATTRS; j++) {
            drop(&accounts[i].attrs[j]);
        }
    }
    free(accounts);
}

unsigned fleet_store_number(const char *account)
{
    return (unsigned)strtoul(account + strlen("fleet"), NULL, 10);
}

size_t fleet_store_bytes(void)
{
    return bytes;
}

enum gk_status fleet_store_get(void *ctx, const char *name, gk_attr_visit_fn *visit,
                               void *visit_ctx, uint64_t *version, struct gk_error *error)
{
    (void)ctx;
    pthread_mutex_lock(&mutex);
    const struct account *account = &accounts[fleet_store_number(name)];
    *version = account->version;
    for (unsigned i = 0; i < ATTRS; i++) {
        const struct attr *at = &account->attrs[i];
        if (at->name != NULL) {
            const uint8_t *value = (const uint8_t *)at->name + strlen(at->name) + 1;
            visit(visit_ctx,
                  &(const struct gk_attr){.name = at->name, .value = gk_span_of(value, at->len)});
        }
    }
    pthread_mutex_unlock(&mutex);
    return *version != 0 ? GK_OK : gk_fail(error, GK_E_NOT_FOUND, "no such account");
}

static struct attr *find(struct account *account, const char *name)
{
    struct attr *found = NULL;
    for (unsigned i = 0; i < ATTRS; i++) {
        struct attr *at = &account->attrs[i];
        if (at->name != NULL && strcmp(at->name, name) == 0) {
            return at;
        }
        found = found == NULL && at->name == NULL ? at : found;
    }
    return found;
}

static void set(struct account *account, const struct gk_attr *change)
{
    struct attr *attr = find(account, change->name);
    const size_t name_bytes = strlen(change->name) + 1;
    if (attr == NULL) {
        abort(); /* the plugin has another attribute by now: make room */
    }
    drop(attr);
    if (change->value.data == NULL) {
        return;
    }
    attr->name = malloc(name_bytes + change->value.len);
    if (attr->name == NULL) {
        abort();
    }
    memcpy(attr->name, change->name, name_bytes);
    memcpy(attr->name + name_bytes, change->value.data, change->value.len);
    attr->len = change->value.len;
    bytes += malloc_usable_size(attr->name) + sizeof(size_t);
}

enum gk_status fleet_store_set_if(void *ctx, const char *name, uint64_t expected_version,
                                  const struct gk_attr *changes, size_t changes_count,
                                  uint64_t *new_version, struct gk_error *error)
{
    (void)ctx;
    enum gk_status status = GK_OK;
    pthread_mutex_lock(&mutex);
    struct account *account = &accounts[fleet_store_number(name)];
    if (account->version != expected_version) {
        status = gk_fail(error, expected_version == 0 ? GK_E_EXISTS : GK_E_CONFLICT,
                         "it has another version");
    } else {
        for (size_t i = 0; i < changes_count; i++) {
            set(account, &changes[i]);
        }
        account->version++;
        if (new_version != NULL) {
            *new_version = account->version;
        }
    }
    pthread_mutex_unlock(&mutex);
    return status;
}
