/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/rados_place.h"

#include <errno.h>
#include <rados/librados.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define PATH_BYTES    512
#define COMMAND_BYTES 512
#define NAMES_MAX     512

static rados_t admin;
static char conf_path[PATH_BYTES];

bool rados_places_begin(void)
{
    const char *directory = getenv("GATEKEY_TEST_CEPH");
    if (directory == NULL) {
        puts("skipped: GATEKEY_TEST_CEPH names no cluster of scripts/ceph");
        return false;
    }
    snprintf(conf_path, sizeof conf_path, "%s/ceph.conf", directory);
    assert_int_equal(rados_create2(&admin, "ceph", "client.admin", 0), 0);
    assert_int_equal(rados_conf_read_file(admin, conf_path), 0);
    assert_int_equal(rados_conf_set(admin, "client_mount_timeout", "30"), 0);
    assert_int_equal(rados_connect(admin), 0);
    return true;
}

void rados_places_end(void)
{
    rados_shutdown(admin);
}

/* --- places ------------------------------------------------------------------------------------ */

struct rados_place *rados_place_new(void)
{
    uint64_t random = 0;
    struct rados_place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    assert_int_equal(getrandom(&random, sizeof random, 0), sizeof random);
    snprintf(place->namespace_, sizeof place->namespace_, "unit-%016llx",
             (unsigned long long)random);
    snprintf(place->user, sizeof place->user, "client.gatekey");
    snprintf(place->meta_pool, sizeof place->meta_pool, "gatekey.meta");
    snprintf(place->data_pool, sizeof place->data_pool, "gatekey.data");
    place->op_timeout_s = RADOS_WAIT_S / 2;
    return place;
}

struct gk_store_rados_options rados_place_options(const struct rados_place *place)
{
    return (struct gk_store_rados_options){.conf = conf_path,
                                           .user = place->user,
                                           .meta_pool = place->meta_pool,
                                           .data_pool = place->data_pool,
                                           .namespace_ = place->namespace_,
                                           .op_timeout_s = place->op_timeout_s};
}

struct gk_store *rados_place_open(const struct rados_place *place)
{
    const struct gk_store_rados_options options = rados_place_options(place);
    struct gk_store *store = NULL;
    struct gk_error error = {0};
    if (gk_store_rados_open(&options, &store, &error) != GK_OK) {
        fail_msg("%s", error.message);
    }
    return store;
}

struct names {
    char *each[NAMES_MAX];
    size_t count;
};

static bool take_name(void *ctx, struct gk_span name, struct gk_span value)
{
    (void)value;
    struct names *names = ctx;
    names->each[names->count++] = strndup((const char *)name.data, name.len);
    return names->count < NAMES_MAX;
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

void rados_place_free(struct rados_place *place)
{
    struct gk_store *store = rados_place_open(place);
    empty_pool(store, GK_POOL_META);
    empty_pool(store, GK_POOL_DATA);
    gk_store_close(store);
    free(place);
}

void *rados_engine_place_new(void)
{
    return rados_place_new();
}

enum gk_status rados_engine_open(void *place, struct gk_store **out, struct gk_error *error)
{
    const struct gk_store_rados_options options = rados_place_options(place);
    return gk_store_rados_open(&options, out, error);
}

void rados_engine_place_free(void *place)
{
    rados_place_free(place);
}

/* --- pools ------------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 1, 2))) monitor(const char *format, ...)
{
    char command[COMMAND_BYTES];
    va_list words;
    va_start(words, format);
    vsnprintf(command, sizeof command, format, words);
    va_end(words);
    const char *commands[] = {command};
    char *out = NULL;
    char *why = NULL;
    size_t out_len = 0;
    size_t why_len = 0;
    const int code = rados_mon_command(admin, commands, 1, "", 0, &out, &out_len, &why, &why_len);
    if (code < 0) { /* cmocka keeps its messages to itself outside of tests */
        fprintf(stderr, "%s: %.*s (%d)\n", command, (int)why_len, why, code);
    }
    assert_true(code >= 0);
    rados_buffer_free(out);
    rados_buffer_free(why);
}

void rados_pool_make(const char *pool, bool erasure)
{
    if (erasure) {
        monitor("{\"prefix\": \"osd erasure-code-profile set\", \"name\": \"gatekey-test\", "
                "\"profile\": [\"k=2\", \"m=1\", \"crush-failure-domain=osd\"]}");
        monitor("{\"prefix\": \"osd pool create\", \"pool\": \"%s\", \"pg_num\": 4, \"pool_type\": "
                "\"erasure\", \"erasure_code_profile\": \"gatekey-test\"}",
                pool);
    } else {
        monitor("{\"prefix\": \"osd pool create\", \"pool\": \"%s\", \"pg_num\": 4, \"pool_type\": "
                "\"replicated\"}",
                pool);
    }
    if (erasure) {
        monitor(
            "{\"prefix\": \"osd pool set\", \"pool\": \"%s\", \"var\": \"allow_ec_overwrites\", "
            "\"val\": \"true\"}",
            pool);
    }
    monitor("{\"prefix\": \"osd pool application enable\", \"pool\": \"%s\", \"app\": \"gatekey\"}",
            pool);
}

void rados_pool_remove(const char *pool)
{
    monitor("{\"prefix\": \"osd pool delete\", \"pool\": \"%s\", \"pool2\": \"%s\", "
            "\"yes_i_really_really_mean_it\": true}",
            pool, pool);
}

bool rados_pool_is_erasure(const char *pool)
{
    rados_ioctx_t io = NULL;
    int aligned = 0;
    assert_int_equal(rados_ioctx_create(admin, pool, &io), 0);
    assert_int_equal(rados_ioctx_pool_requires_alignment2(io, &aligned), 0);
    rados_ioctx_destroy(io);
    return aligned != 0;
}

/* A rule that chooses among the OSDs below a root that has none. */
void rados_pool_switch(const char *pool, bool on)
{
    monitor("{\"prefix\": \"osd crush add-bucket\", \"name\": \"gatekey-test-void\", \"type\": "
            "\"root\"}");
    monitor("{\"prefix\": \"osd crush rule create-simple\", \"name\": \"gatekey-test-void\", "
            "\"root\": \"gatekey-test-void\", \"type\": \"osd\"}");
    monitor("{\"prefix\": \"osd pool set\", \"pool\": \"%s\", \"var\": \"crush_rule\", \"val\": "
            "\"%s\"}",
            pool, on ? "replicated_rule" : "gatekey-test-void");
}
