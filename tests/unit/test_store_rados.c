/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the RADOS engine passes the suite of all engines, also with an erasure-coded data pool, and
 * several processes on one place see each other as store.h says.
 *
 * Needs a cluster of scripts/ceph, whose directory GATEKEY_TEST_CEPH names; skipped without. Each place
 * is a namespace of its own in the cluster's pools.
 */
#include <errno.h>
#include <pthread.h>
#include <rados/librados.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "unit/store_suite.h"

#define SKIPPED       77
#define PATH_BYTES    512
#define EC_POOL       "gatekey.test.erasure"
#define WAIT_S        60
#define CALLS_PENDING 1024

static char conf_path[PATH_BYTES];

/* --- places ------------------------------------------------------------------------------------ */

struct place {
    char namespace_[40];
    const char *data_pool;
};

static struct place *place_in(const char *data_pool)
{
    uint64_t random = 0;
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    assert_int_equal(getrandom(&random, sizeof random, 0), sizeof random);
    snprintf(place->namespace_, sizeof place->namespace_, "unit-%016llx",
             (unsigned long long)random);
    place->data_pool = data_pool;
    return place;
}

static void *rados_place_new(void)
{
    return place_in(NULL);
}

static void *erasure_place_new(void)
{
    return place_in(EC_POOL);
}

static struct gk_store_rados_options options_of(const struct place *place)
{
    return (struct gk_store_rados_options){.conf = conf_path,
                                           .user = place->data_pool == NULL ? NULL : "client.admin",
                                           .data_pool = place->data_pool,
                                           .namespace_ = place->namespace_,
                                           .op_timeout_s = 30};
}

static enum gk_status rados_open(void *place, struct gk_store **out, struct gk_error *error)
{
    const struct gk_store_rados_options options = options_of(place);
    return gk_store_rados_open(&options, out, error);
}

/* A few names at a time: a list must not change under its reader's hands. */
struct names {
    char *each[512];
    size_t count;
};

static bool take_name(void *ctx, struct gk_span name, struct gk_span value)
{
    (void)value;
    struct names *names = ctx;
    names->each[names->count++] = strndup((const char *)name.data, name.len);
    return names->count < sizeof names->each / sizeof *names->each;
}

static void empty_pool(struct gk_store *store, enum gk_store_pool pool)
{
    static struct names names;
    struct gk_buf cursor;
    gk_buf_init(&cursor, GK_LIST_CURSOR_BYTES_MAX);
    do {
        names.count = 0;
        assert_int_equal(gk_store_list(store, pool, &cursor, take_name, &names, NULL), GK_OK);
        assert_int_equal(
            gk_store_remove(store, pool, (const char *const *)names.each, names.count, NULL),
            GK_OK);
        for (size_t i = 0; i < names.count; i++) {
            free(names.each[i]);
        }
    } while (cursor.len > 0);
    gk_buf_cleanup(&cursor);
}

static void rados_place_free(void *place)
{
    struct gk_store *store = NULL;
    assert_int_equal(rados_open(place, &store, NULL), GK_OK);
    empty_pool(store, GK_POOL_META);
    empty_pool(store, GK_POOL_DATA);
    gk_store_close(store);
    free(place);
}

static const struct store_engine on_replicas = {
    .name = "RADOS",
    .place_new = rados_place_new,
    .open = rados_open,
    .place_free = rados_place_free,
};

static const struct store_engine on_erasure_code = {
    .name = "RADOS with an erasure-coded data pool",
    .place_new = erasure_place_new,
    .open = rados_open,
    .place_free = rados_place_free,
};

/* --- the erasure-coded pool -------------------------------------------------------------------- */

static rados_t admin;

static int monitor_command(const char *command)
{
    char *out = NULL;
    char *why = NULL;
    size_t out_len = 0;
    size_t why_len = 0;
    const int code = rados_mon_command(admin, &command, 1, "", 0, &out, &out_len, &why, &why_len);
    if (code < 0) {
        fprintf(stderr, "%s: %.*s (%d)\n", command, (int)why_len, why, code);
    }
    rados_buffer_free(out);
    rados_buffer_free(why);
    return code;
}

/* Two chunks and one, each on an OSD of its own; false when the cluster has too few. */
static bool make_erasure_pool(void)
{
    assert_int_equal(rados_create2(&admin, "ceph", "client.admin", 0), 0);
    assert_int_equal(rados_conf_read_file(admin, conf_path), 0);
    assert_int_equal(rados_connect(admin), 0);
    assert_int_equal(monitor_command("{\"prefix\": \"osd erasure-code-profile set\", \"name\": "
                                     "\"gatekey-test\", \"profile\": [\"k=2\", \"m=1\", "
                                     "\"crush-failure-domain=osd\"]}"),
                     0);
    assert_int_equal(monitor_command("{\"prefix\": \"osd pool create\", \"pool\": \"" EC_POOL
                                     "\", \"pg_num\": 8, \"pool_type\": \"erasure\", "
                                     "\"erasure_code_profile\": \"gatekey-test\"}"),
                     0);
    (void)monitor_command("{\"prefix\": \"osd pool application enable\", \"pool\": \"" EC_POOL
                          "\", \"app\": \"gatekey\"}");
    return true;
}

int main(void)
{
    const char *directory = getenv("GATEKEY_TEST_CEPH");
    if (directory == NULL) {
        puts("skipped: GATEKEY_TEST_CEPH names no cluster of scripts/ceph");
        return SKIPPED;
    }
    snprintf(conf_path, sizeof conf_path, "%s/ceph.conf", directory);
    int failed = store_suite_run(&on_replicas);
    if (make_erasure_pool()) {
        failed += store_suite_run(&on_erasure_code);
    }
    return failed;
}
