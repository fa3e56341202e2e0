/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/store/rados.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/error.h"

#define OP_TIMEOUT_S_DEFAULT 10u
/* What all threads have under way, in bytes and in operations; librados makes others wait. */
#define UNDER_WAY_BYTES "268435456"
#define UNDER_WAY_OPS   "4096"
/*
 * librados asks the monitors for a newer map when it finds an operation that waits for longer than
 * objecter_timeout, 10 s by default, and looks every objecter_tick_interval. An operation that is given
 * up before is never found, and where OSDs came back at other addresses the client would try the old
 * ones for ever. So both are parts of the operations' own time-out.
 */
#define LAGGY_SHARE 0.25
#define TICK_SHARE  0.125

/* --- what librados says ------------------------------------------------------------------------ */

enum gk_status gk_rados_fail(struct gk_error *error, int code, const char *what)
{
    switch (code) {
    case -ENOENT:
        return gk_fail(error, GK_E_NOT_FOUND, "no such object");
    case -EEXIST:
        return gk_fail(error, GK_E_EXISTS, "the object exists");
    case -ETIMEDOUT:
        return gk_fail(error, GK_E_UNAVAILABLE, "%s: the Ceph cluster did not answer in time",
                       what);
    case GK_RADOS_NO_POOL:
        return gk_fail(
            error, GK_E_UNAVAILABLE,
            "%s: the Ceph cluster has this pool no more; if there is another of its name, "
            "restart the gateway",
            what);
    case -ESHUTDOWN: /* also EBLOCKLISTED: an operator has shut this client out, for a while */
        return gk_fail(error, GK_E_UNAVAILABLE, "%s: the Ceph cluster shuts this client out", what);
    case -ENOTCONN:
    case -ECONNRESET:
    case -EAGAIN:
    case -EINTR:
    case -EBUSY:
        return gk_fail(error, GK_E_UNAVAILABLE, "%s: the Ceph cluster is not there (error %d)",
                       what, -code);
    case -EPERM:
    case -EACCES:
        /* Never GK_E_DENIED, which is the customer's refusal. */
        return gk_fail(error, GK_E_UNAVAILABLE,
                       "%s: the Ceph cluster refuses this user; see its caps", what);
    case -ENOSPC:
    case -EDQUOT:
        return gk_fail(error, GK_E_RESOURCE, "%s: the Ceph cluster or pool is full", what);
    case -ENOMEM:
        return gk_fail(error, GK_E_RESOURCE, "%s: out of memory", what);
    case -EIO:
        return gk_fail(error, GK_E_RESOURCE, "%s: an OSD could not read or write", what);
    case -EMSGSIZE:
    case -E2BIG:
    case -EFBIG:
    case -ENAMETOOLONG:
        return gk_fail(error, GK_E_LIMIT, "%s: more than the Ceph cluster takes (error %d)", what,
                       -code);
    case -EOPNOTSUPP:
        return gk_fail(error, GK_E_UNSUPPORTED,
                       "%s: the pool cannot do that; meta_pool must be a replicated one, and an "
                       "erasure-coded data_pool needs allow_ec_overwrites",
                       what);
    default:
        return gk_fail(error, GK_E_INTERNAL, "%s: librados error %d", what, -code);
    }
}

enum gk_status gk_rados_completion(rados_completion_t *out, struct gk_error *error)
{
    const int code = rados_aio_create_completion2(NULL, NULL, out);
    return code == 0 ? GK_OK : gk_rados_fail(error, code, "beginning");
}

bool gk_rados_has_pool(const struct gk_rados *store, enum gk_store_pool pool)
{
    char name[128]; /* whether there is one is all that is asked */
    return rados_pool_reverse_lookup(store->cluster, rados_ioctx_get_id(store->io[pool]), name,
                                     sizeof name) != -ENOENT;
}

int gk_rados_code(const struct gk_rados *store, enum gk_store_pool pool, int code)
{
    return code == -ENOENT && !gk_rados_has_pool(store, pool) ? GK_RADOS_NO_POOL : code;
}

int gk_rados_wait(const struct gk_rados *store, enum gk_store_pool pool,
                  rados_completion_t completion, uint64_t *version)
{
    rados_aio_wait_for_complete(completion);
    const int code = rados_aio_get_return_value(completion);
    if (version != NULL) {
        *version = rados_aio_get_version(completion);
    }
    rados_aio_release(completion);
    return gk_rados_code(store, pool, code);
}

int gk_rados_read_op(struct gk_rados *store, enum gk_store_pool pool, const char *object,
                     rados_read_op_t op, uint64_t *version)
{
    rados_completion_t completion;
    int code = rados_aio_create_completion2(NULL, NULL, &completion);
    if (code == 0) {
        code = rados_aio_read_op_operate(op, store->io[pool], completion, object, 0);
        if (code == 0) {
            code = gk_rados_wait(store, pool, completion, version);
        } else {
            rados_aio_release(completion);
        }
    }
    rados_release_read_op(op);
    return code;
}

/* --- opening ----------------------------------------------------------------------------------- */

/* The options with every default in its place. */
static struct gk_store_rados_options with_defaults(const struct gk_store_rados_options *options)
{
    struct gk_store_rados_options all = *options;
    all.user = all.user == NULL ? "client.gatekey" : all.user;
    all.meta_pool = all.meta_pool == NULL ? "gatekey.meta" : all.meta_pool;
    all.data_pool = all.data_pool == NULL ? "gatekey.data" : all.data_pool;
    all.namespace_ = all.namespace_ == NULL ? "" : all.namespace_;
    all.op_timeout_s = all.op_timeout_s == 0 ? OP_TIMEOUT_S_DEFAULT : all.op_timeout_s;
    return all;
}

static enum gk_status configure(struct gk_rados *store,
                                const struct gk_store_rados_options *options,
                                struct gk_error *error)
{
    int code = rados_create2(&store->cluster, "ceph", options->user, 0);
    if (code < 0) {
        store->cluster = NULL;
        return gk_fail(error, GK_E_INVALID,
                       "librados does not take the user %s (error %d); write it as client.NAME",
                       options->user, -code);
    }
    code = rados_conf_read_file(store->cluster, options->conf);
    if (code < 0) {
        return gk_fail(error, GK_E_INVALID,
                       "%s cannot be read by librados (error %d); name the cluster's ceph.conf",
                       options->conf == NULL ? "/etc/ceph/ceph.conf" : options->conf, -code);
    }
    char timeout[16];
    char laggy[16];
    char tick[16];
    snprintf(timeout, sizeof timeout, "%u", options->op_timeout_s);
    snprintf(laggy, sizeof laggy, "%.3f", options->op_timeout_s * LAGGY_SHARE);
    snprintf(tick, sizeof tick, "%.3f", options->op_timeout_s * TICK_SHARE);
    const struct {
        const char *name;
        const char *value;
    } settings[] = {
        {"rados_osd_op_timeout", timeout},
        {"rados_mon_op_timeout", timeout},
        {"client_mount_timeout", timeout},
        {"objecter_inflight_op_bytes", UNDER_WAY_BYTES},
        {"objecter_inflight_ops", UNDER_WAY_OPS},
        {"keyring", options->keyring},
        {"objecter_timeout", laggy},
        {"objecter_tick_interval", tick},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        code = settings[i].value == NULL
                   ? 0
                   : rados_conf_set(store->cluster, settings[i].name, settings[i].value);
        if (code < 0) {
            return gk_fail(error, GK_E_INVALID, "librados does not take %s = %s (error %d)",
                           settings[i].name, settings[i].value, -code);
        }
    }
    return GK_OK;
}

static enum gk_status connect_cluster(struct gk_rados *store,
                                      const struct gk_store_rados_options *options,
                                      struct gk_error *error)
{
    const int code = rados_connect(store->cluster);
    switch (code) {
    case 0:
        return GK_OK;
    case -ETIMEDOUT:
        return gk_fail(error, GK_E_UNAVAILABLE,
                       "no monitor of the Ceph cluster answered within %u s; see mon_host in its "
                       "ceph.conf, and whether the monitors run",
                       options->op_timeout_s);
    case -EACCES:
    case -EPERM:
        return gk_fail(error, GK_E_DENIED,
                       "the Ceph cluster refuses %s; see that the keyring has the key that `ceph "
                       "auth get %s` shows",
                       options->user, options->user);
    case -ENOENT:
        return gk_fail(
            error, GK_E_INVALID,
            "no key of %s and no monitor was found for the Ceph cluster; see keyring and "
            "mon_host in its ceph.conf, or give store.keyring",
            options->user);
    default:
        return gk_fail(
            error, GK_E_UNAVAILABLE,
            "the Ceph cluster cannot be reached (librados error %d); see mon_host in its "
            "ceph.conf",
            -code);
    }
}

/* One read from the pool: the only way to learn that its OSDs are there and that the user may. */
static enum gk_status try_pool(struct gk_rados *store, enum gk_store_pool pool, const char *name,
                               const struct gk_store_rados_options *options, struct gk_error *error)
{
    rados_completion_t completion;
    enum gk_status status = gk_rados_completion(&completion, error);
    if (status != GK_OK) {
        return status;
    }
    uint64_t size = 0;
    time_t modified = 0;
    int code = rados_aio_stat(store->io[pool], "gatekey", completion, &size, &modified);
    code = code < 0 ? code : gk_rados_wait(store, pool, completion, NULL);
    switch (code) {
    case 0:
    case -ENOENT:
        return GK_OK;
    case -EPERM:
    case -EACCES:
        return gk_fail(
            error, GK_E_DENIED,
            "the Ceph cluster lets %s not into the pool %s; give it caps with `ceph auth "
            "caps` as docs/gateway.md says",
            options->user, name);
    case -ETIMEDOUT:
        return gk_fail(error, GK_E_UNAVAILABLE,
                       "no OSD of the pool %s answered within %u s; see `ceph status`", name,
                       options->op_timeout_s);
    default:
        return gk_rados_fail(error, code, "trying a pool");
    }
}

static enum gk_status open_pool(struct gk_rados *store, enum gk_store_pool pool, const char *name,
                                const struct gk_store_rados_options *options,
                                struct gk_error *error)
{
    const int code = rados_ioctx_create(store->cluster, name, &store->io[pool]);
    if (code == -ENOENT) {
        return gk_fail(
            error, GK_E_NOT_FOUND,
            "the Ceph cluster has no pool %s; make it with `ceph osd pool create %s` and "
            "`ceph osd pool application enable %s gatekey`",
            name, name, name);
    }
    if (code < 0) {
        return gk_rados_fail(error, code, "opening a pool");
    }
    rados_ioctx_set_namespace(store->io[pool], options->namespace_);
    return try_pool(store, pool, name, options, error);
}

static enum gk_status check_meta_pool(struct gk_rados *store, const char *name,
                                      struct gk_error *error)
{
    int aligned = 0;
    const int code = rados_ioctx_pool_requires_alignment2(store->io[GK_POOL_META], &aligned);
    if (code < 0) {
        return gk_rados_fail(error, code, "asking about a pool");
    }
    return aligned == 0 ? GK_OK
                        : gk_fail(error, GK_E_INVALID,
                                  "the pool %s is erasure coded and cannot hold indexes; meta_pool "
                                  "must be a replicated one",
                                  name);
}

static enum gk_status make_cookie(char cookie[GK_RADOS_COOKIE_BYTES], struct gk_error *error)
{
    uint8_t random[(GK_RADOS_COOKIE_BYTES - 1) / 2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy");
    }
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(cookie + 2 * i, 3, "%02x", random[i]);
    }
    return GK_OK;
}

static enum gk_status open_parts(struct gk_rados *store,
                                 const struct gk_store_rados_options *options,
                                 struct gk_error *error)
{
    enum gk_status status = make_cookie(store->cookie, error);
    if (status == GK_OK) {
        status = configure(store, options, error);
    }
    if (status == GK_OK) {
        status = connect_cluster(store, options, error);
    }
    if (status == GK_OK) {
        status = open_pool(store, GK_POOL_META, options->meta_pool, options, error);
    }
    if (status == GK_OK) {
        status = check_meta_pool(store, options->meta_pool, error);
    }
    if (status == GK_OK) {
        status = open_pool(store, GK_POOL_DATA, options->data_pool, options, error);
    }
    if (status == GK_OK) {
        status = gk_rados_buffers_init(store, error);
    }
    return status == GK_OK ? gk_rados_notices_init(store, error) : status;
}

/* --- the engine -------------------------------------------------------------------------------- */

static void rados_close(struct gk_store *base)
{
    struct gk_rados *store = gk_rados_own(base);
    gk_rados_notices_cleanup(store);
    for (size_t i = 0; i < sizeof store->io / sizeof *store->io; i++) {
        if (store->io[i] != NULL) {
            rados_ioctx_destroy(store->io[i]);
        }
    }
    if (store->cluster != NULL) {
        rados_shutdown(store->cluster);
    }
    gk_rados_buffers_cleanup(store);
    free(store);
}

static const struct gk_store_ops rados_ops = {
    .close = rados_close,
    .write = gk_rados_write,
    .write_many = gk_rados_write_many,
    .batch_begin = gk_rados_batch_begin,
    .batch_object = gk_rados_batch_object,
    .batch_append = gk_rados_batch_append,
    .batch_commit = gk_rados_batch_commit,
    .batch_abort = gk_rados_batch_abort,
    .read = gk_rados_read,
    .read_begin = gk_rados_read_begin,
    .read_end = gk_rados_read_end,
    .read_parts = gk_rados_read_parts,
    .stat = gk_rados_stat,
    .map_find = gk_rados_map_find,
    .map_walk = gk_rados_map_walk,
    .map_walk_many = gk_rados_map_walk_many,
    .attrs = gk_rados_attrs,
    .list = gk_rados_list,
    .remove = gk_rados_remove,
    .watch = gk_rados_watch,
    .unwatch = gk_rados_unwatch,
    .notify = gk_rados_notify,
    .lease_take = gk_rados_lease_take,
    .lease_release = gk_rados_lease_release,
};

enum gk_status gk_store_rados_open(const struct gk_store_rados_options *options,
                                   struct gk_store **out, struct gk_error *error)
{
    const struct gk_store_rados_options all = with_defaults(options);
    struct gk_rados *store = calloc(1, sizeof *store);
    *out = NULL;
    if (store == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    store->base.ops = &rados_ops;
    store->op_timeout_s = all.op_timeout_s;
    const enum gk_status status = open_parts(store, &all, error);
    if (status != GK_OK) {
        rados_close(&store->base);
        return status;
    }
    *out = &store->base;
    return GK_OK;
}
