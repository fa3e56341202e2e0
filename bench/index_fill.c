/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a container with the records of many empty blobs, through the store and beside the gateway:
 * what a listing reads of a large container, in minutes instead of hours. The blobs are named
 * dir-<number>/blob-<number>. They can be listed and removed, and nothing else.
 *
 * No gateway may run on an embedded store meanwhile. On RADOS one may.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/load.h"
#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/changes.h"
#include "gateway/blob/index.h"
#include "gateway/blob/record.h"
#include "gateway/blob/value.h"
#include "gateway/config.h"
#include "gateway/store/embedded.h"

#define ENTRIES_PER_WRITE 1000u
#define THREADS_MAX       64u
#define NAME_BYTES        64u

struct options {
    const char *config;
    const char *account;
    const char *container;
    unsigned directories;
    unsigned blobs_each;
    unsigned threads;
};

struct fill {
    struct options options;
    struct gk_clock clock;
    struct gk_store *store;
    struct gk_plugin_host *host;
    struct gk_accounts *accounts;
    struct gk_gateway_account *account;
    struct gk_container container;
    atomic_uint next_shard;
};

_Noreturn static void die(const char *what, const struct gk_error *error)
{
    fprintf(stderr, "index_fill: %s: %s\n", what, error->message);
    exit(1);
}

static void must(enum gk_status status, const char *what, const struct gk_error *error)
{
    if (status != GK_OK) {
        die(what, error);
    }
}

/* --- records ------------------------------------------------------------------------------------ */

static struct gk_place place_of(const struct fill *fill, const char *kind,
                                const struct gk_id *container, const struct gk_buf *key)
{
    return (struct gk_place){.plugin = fill->host->plugin,
                             .account = fill->account->handle,
                             .kind = kind,
                             .container = *container,
                             .key = gk_buf_span(key)};
}

static void add_blob(const struct fill *fill, struct gk_change_list *changes, const char *name)
{
    struct gk_error error = {0};
    const int64_t now = gk_clock_wall_ms(&fill->clock);
    const struct gk_blob_record record = {.state = GK_BLOB_COMMITTED,
                                          .etag = gk_etag_new(now),
                                          .created_wall_ms = now,
                                          .modified_wall_ms = now};
    struct gk_buf key;
    struct gk_buf open;
    struct gk_buf value;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&open, GK_BLOB_RECORD_BYTES_MAX);
    gk_buf_init(&value, GK_BLOB_RECORD_BYTES_MAX);
    gk_blob_key(&key, name);
    gk_blob_record_encode(&record, &open);
    const struct gk_place place = place_of(fill, GK_VALUE_BLOB, &fill->container.id, &key);
    must(gk_value_seal(&place, NULL, gk_buf_span(&open), (struct gk_span){0}, &value, &error),
         "a record", &error);
    gk_changes_set(changes, &key, &value);
    gk_buf_cleanup(&open);
}

static void write_out(const struct fill *fill, uint32_t shard, struct gk_change_list *changes)
{
    struct gk_error error = {0};
    struct gk_guard guards[GK_INDEX_GUARDS];
    uint8_t door[GK_INDEX_DOOR_BYTES];
    char index[GK_INDEX_NAME_BYTES];
    gk_index_guards(guards, fill->container.life.opening, door);
    gk_index_name(&fill->container.id, shard, index);
    must(gk_changes_status(changes), "changes", &error);
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = index,
                                   .guards = guards,
                                   .guards_count = GK_INDEX_GUARDS,
                                   .changes = changes->items,
                                   .changes_count = changes->count};
    must(gk_store_write(fill->store, &op, NULL, &error), index, &error);
    gk_changes_cleanup(changes);
    gk_changes_init(changes);
}

static void fill_shard(const struct fill *fill, uint32_t shard)
{
    struct gk_change_list changes;
    gk_changes_init(&changes);
    for (unsigned directory = 0; directory < fill->options.directories; directory++) {
        for (unsigned blob = 0; blob < fill->options.blobs_each; blob++) {
            char name[NAME_BYTES];
            snprintf(name, sizeof name, "dir-%05u/blob-%03u", directory, blob);
            if (gk_index_shard(gk_span_str(name), fill->container.shards) != shard) {
                continue;
            }
            add_blob(fill, &changes, name);
            if (changes.count == ENTRIES_PER_WRITE) {
                write_out(fill, shard, &changes);
            }
        }
    }
    if (changes.count > 0) {
        write_out(fill, shard, &changes);
    }
    gk_changes_cleanup(&changes);
}

static void *fill_shards(void *ctx)
{
    struct fill *fill = ctx;
    for (unsigned shard = atomic_fetch_add(&fill->next_shard, 1); shard < fill->container.shards;
         shard = atomic_fetch_add(&fill->next_shard, 1)) {
        fill_shard(fill, shard);
    }
    return NULL;
}

/* --- start and end ------------------------------------------------------------------------------ */

static void find_container(struct fill *fill)
{
    struct gk_error error = {0};
    struct gk_buf key;
    struct gk_buf value;
    struct gk_buf open;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_CONTAINER_RECORD_BYTES_MAX);
    gk_buf_init(&open, GK_CONTAINER_RECORD_BYTES_MAX);
    gk_container_key(&key, fill->options.container);
    const struct gk_place place = place_of(fill, GK_VALUE_CONTAINER, &fill->account->id, &key);
    enum gk_status status =
        gk_value_get(fill->store, fill->account->object, gk_buf_span(&key), &value, &error);
    if (status == GK_OK) {
        status = gk_value_open(&place, gk_buf_span(&value), &open, &error);
    }
    if (status == GK_OK) {
        status = gk_container_decode(gk_buf_span(&open), &fill->container, &error);
    }
    must(status, fill->options.container, &error);
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&value);
    gk_buf_cleanup(&open);
}

static void open_all(struct fill *fill, const struct gk_config *config)
{
    struct gk_error error = {0};
    fill->clock = gk_clock_system();
    must(config->state_dir != NULL ? gk_store_embedded_open(config->state_dir, &fill->store, &error)
                                   : gk_store_rados_open(&config->rados, &fill->store, &error),
         "the store", &error);
    must(gk_plugin_host_open(config->plugin, config->settings, config->settings_count, fill->store,
                             &fill->clock, NULL, &fill->host, &error),
         "the plugin", &error);
    must(gk_accounts_new(fill->store, fill->host, &fill->clock, &fill->accounts, &error),
         "accounts", &error);
    must(gk_accounts_get(fill->accounts, fill->options.account, &fill->account, &error),
         fill->options.account, &error);
    find_container(fill);
}

static void close_all(struct fill *fill)
{
    gk_container_cleanup(&fill->container);
    gk_accounts_put(fill->account);
    gk_accounts_free(fill->accounts);
    gk_plugin_host_close(fill->host);
    gk_store_close(fill->store);
}

static void run(struct fill *fill)
{
    pthread_t threads[THREADS_MAX];
    const double start = load_now();
    for (unsigned i = 0; i < fill->options.threads; i++) {
        if (pthread_create(&threads[i], NULL, fill_shards, fill) != 0) {
            die("threads", &(struct gk_error){.message = "none to be had"});
        }
    }
    for (unsigned i = 0; i < fill->options.threads; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("{\"blobs\":%llu,\"shards\":%u,\"seconds\":%.3f}\n",
           (unsigned long long)fill->options.directories * fill->options.blobs_each,
           fill->container.shards, load_now() - start);
}

static void usage(void)
{
    fputs("usage: index_fill --config FILE --account NAME --container NAME --directories N\n"
          "  --blobs-each N [--threads N]\n",
          stderr);
    exit(2);
}

static void parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {{"config", required_argument, NULL, 'c'},
                                          {"account", required_argument, NULL, 'a'},
                                          {"container", required_argument, NULL, 'n'},
                                          {"directories", required_argument, NULL, 'd'},
                                          {"blobs-each", required_argument, NULL, 'b'},
                                          {"threads", required_argument, NULL, 't'},
                                          {NULL, 0, NULL, 0}};
    options->threads = 8;
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (name) {
        case 'c':
            options->config = optarg;
            break;
        case 'a':
            options->account = optarg;
            break;
        case 'n':
            options->container = optarg;
            break;
        case 'd':
            options->directories = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'b':
            options->blobs_each = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 't':
            options->threads = (unsigned)strtoul(optarg, NULL, 10);
            break;
        default:
            usage();
        }
    }
    if (options->config == NULL || options->account == NULL || options->container == NULL ||
        options->directories == 0 || options->blobs_each == 0 || options->threads == 0 ||
        options->threads > THREADS_MAX) {
        usage();
    }
}

int main(int argc, char **argv)
{
    struct fill fill = {0};
    struct gk_error error = {0};
    struct gk_config *config = NULL;
    parse_options(argc, argv, &fill.options);
    must(gk_config_load(fill.options.config, &config, &error), "the configuration", &error);
    gk_log_set_level(config->log_level);
    open_all(&fill, config);
    run(&fill);
    close_all(&fill);
    gk_config_free(config);
    return 0;
}
