/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"
#include "common/text.h"
#include "keyvaultd/store_json.h"

#define FILE_NAME "vault.json"

/* --- the file ----------------------------------------------------------------------------------- */

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        const ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* The new file stands complete on the disk before it takes the old one's name. */
static bool replace_file(struct kv_store *store, const char *text)
{
    struct gk_buf fresh;
    gk_buf_init(&fresh, 8192);
    gk_buf_printf(&fresh, "%s.new", store->path);
    bool good = gk_buf_status(&fresh) == GK_OK;
    const int fd =
        good ? open(gk_buf_str(&fresh), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)
             : -1;
    good = fd >= 0 && fchmod(fd, 0600) == 0 && write_all(fd, text, strlen(text)) && fsync(fd) == 0;
    if (fd >= 0 && close(fd) != 0) {
        good = false;
    }
    good = good && rename(gk_buf_str(&fresh), store->path) == 0;
    if (good) {
        good = fsync(store->dir_fd) == 0;
        store->file_is_ahead = !good;
    }
    gk_buf_cleanup(&fresh);
    return good;
}

static enum gk_status save(struct kv_store *store, struct gk_error *error)
{
    json_t *root = kv_store_to_json(store);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (text == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const bool good = replace_file(store, text);
    const int cause = errno;
    gk_wipe(text, strlen(text));
    free(text);
    if (!good) {
        gk_log(GK_LOG_ERROR, "store", "%s cannot be written: %s", store->path, strerror(cause));
        return gk_fail(error, GK_E_RESOURCE, "%s cannot be written: %s", store->path,
                       strerror(cause));
    }
    return GK_OK;
}

/* After a change that could not be saved was undone in memory: the file may have it all the same. */
static void undo_in_file(struct kv_store *store)
{
    if (!store->file_is_ahead) {
        return;
    }
    store->file_is_ahead = false;
    if (save(store, NULL) != GK_OK && !store->file_is_ahead) {
        gk_log(GK_LOG_ERROR, "store",
               "%s has a change that was refused: it is there after a restart", store->path);
    }
}

/* By a buffer of our own, which is wiped, as the JSON library's memory is. NULL: it is not JSON, or cannot be read. */
static json_t *read_file(const struct kv_store *store)
{
    char buffer[BUFSIZ];
    FILE *file = fopen(store->path, "re");
    if (file == NULL) {
        return NULL;
    }
    json_t *root = setvbuf(file, buffer, _IOFBF, sizeof buffer) == 0
                       ? json_loadf(file, JSON_REJECT_DUPLICATES, NULL)
                       : NULL;
    fclose(file);
    gk_wipe(buffer, sizeof buffer);
    return root;
}

static enum gk_status load(struct kv_store *store, struct gk_error *error)
{
    struct stat info;
    if (stat(store->path, &info) != 0 && errno == ENOENT) {
        return gk_random(store->token_secret, KV_TOKEN_SECRET_BYTES)
                   ? save(store, error)
                   : gk_fail(error, GK_E_RESOURCE, "no entropy");
    }
    json_t *root = read_file(store);
    const bool good = root != NULL && kv_store_from_json(store, root);
    json_decref(root);
    return good ? GK_OK
                : gk_fail(error, GK_E_INVALID,
                          "%s is not readable or not a state file of this version", store->path);
}

/* --- private halves in the token ---------------------------------------------------------------- */

/* What is purged must not come back from anywhere. */
static bool destroy_private(const struct kv_store *store, const struct kv_key *key)
{
    bool good = true;
    for (size_t i = 0; i < key->versions_count; i++) {
        const char *id = key->versions[i].hsm_id;
        good = (id[0] == '\0' || kv_hsm_destroy(store->hsm, id)) && good;
    }
    return good;
}

/* Those of a key that is purged are listed, and with the next save the file tells who comes after this process. */
static bool list_private(struct kv_store *store, const struct kv_key *key)
{
    for (size_t i = 0; i < key->versions_count; i++) {
        if (key->versions[i].hsm_id[0] != '\0' &&
            !kv_store_list_to_destroy(store, key->versions[i].hsm_id)) {
            return false;
        }
    }
    return true;
}

/* From the one at from on; those that the token lets go leave the list. */
static void destroy_listed(struct kv_store *store, size_t from)
{
    size_t kept = from;
    for (size_t i = from; i < store->to_destroy_count; i++) {
        if (!kv_hsm_destroy(store->hsm, store->to_destroy[i])) {
            memmove(store->to_destroy[kept++], store->to_destroy[i], KV_HSM_ID_BYTES);
        }
    }
    store->to_destroy_count = kept;
}

/* A process before this one has ended between the two steps of a purge. */
static void destroy_left(struct kv_store *store)
{
    const size_t left = store->to_destroy_count;
    destroy_listed(store, 0);
    if (store->to_destroy_count > 0) {
        gk_log(GK_LOG_WARNING, "store",
               "the token keeps %zu purged private keys, until the next start",
               store->to_destroy_count);
    }
    if (store->to_destroy_count < left) {
        (void)save(store, NULL); /* what is listed without need is gone at the next start, too */
    }
}

/* --- opening ------------------------------------------------------------------------------------ */

static enum gk_status open_at(struct kv_store *store, const char *dir, struct gk_error *error)
{
    store->keys = calloc(KV_STORE_KEYS_MAX + 1, sizeof(struct kv_key *));
    store->token_secret = gk_secret_alloc(KV_TOKEN_SECRET_BYTES);
    if (asprintf(&store->path, "%s/" FILE_NAME, dir) < 0) {
        store->path = NULL;
    }
    if (store->keys == NULL || store->token_secret == NULL || store->path == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        return gk_fail(error, GK_E_INVALID, "%s cannot be made: %s; make the one above it", dir,
                       strerror(errno));
    }
    store->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->dir_fd < 0) {
        return gk_fail(error, GK_E_INVALID, "%s cannot be opened: %s", dir, strerror(errno));
    }
    if (flock(store->dir_fd, LOCK_EX | LOCK_NB) != 0) {
        return gk_fail(error, GK_E_CONFLICT,
                       "%s is in use by another process; end it, or name another directory", dir);
    }
    const enum gk_status status = load(store, error);
    if (status == GK_OK) {
        destroy_left(store);
    }
    return status;
}

enum gk_status kv_store_open(const char *dir, struct kv_hsm *hsm, struct kv_store **out,
                             struct gk_error *error)
{
    *out = NULL;
    struct kv_store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    store->dir_fd = -1;
    store->hsm = hsm;
    pthread_mutex_init(&store->mutex, NULL);
    const enum gk_status status = open_at(store, dir, error);
    if (status != GK_OK) {
        kv_store_close(store);
        return status;
    }
    *out = store;
    return GK_OK;
}

void kv_store_close(struct kv_store *store)
{
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; i < store->keys_count; i++) {
        kv_key_free(store->keys[i]);
    }
    free(store->keys);
    free(store->to_destroy);
    gk_secret_free(&store->token_secret);
    free(store->path);
    if (store->dir_fd >= 0) {
        close(store->dir_fd);
    }
    pthread_mutex_destroy(&store->mutex);
    free(store);
}

enum gk_status kv_store_keep_ports(struct kv_store *store, uint16_t port, uint16_t imds_port,
                                   struct gk_error *error)
{
    enum gk_status status = GK_OK;
    pthread_mutex_lock(&store->mutex);
    if (store->port != port || store->imds_port != imds_port) {
        store->port = port;
        store->imds_port = imds_port;
        status = save(store, error);
    }
    pthread_mutex_unlock(&store->mutex);
    return status;
}

/* --- keys --------------------------------------------------------------------------------------- */

/* Where name stands or would stand. */
static size_t position_of(const struct kv_store *store, const char *name, bool *found)
{
    size_t low = 0;
    size_t high = store->keys_count;
    *found = false;
    while (low < high && !*found) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcasecmp(store->keys[middle]->name, name);
        *found = order == 0;
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return high;
}

static void insert_at(struct kv_store *store, size_t at, struct kv_key *key)
{
    memmove(&store->keys[at + 1], &store->keys[at],
            (store->keys_count - at) * sizeof(struct kv_key *));
    store->keys[at] = key;
    store->keys_count++;
}

static void take_out(struct kv_store *store, size_t at)
{
    store->keys_count--;
    memmove(&store->keys[at], &store->keys[at + 1],
            (store->keys_count - at) * sizeof(struct kv_key *));
}

/* What is due is due whether or not it can be written now: it is not loaded for use again either,
 * since every lock looks anew. */
void kv_store_lock(struct kv_store *store, int64_t now_s)
{
    pthread_mutex_lock(&store->mutex);
    for (size_t i = store->keys_count; i > 0; i--) {
        struct kv_key *key = store->keys[i - 1];
        if (key->deleted_s != 0 && now_s >= key->purge_s && destroy_private(store, key)) {
            take_out(store, i - 1);
            kv_key_free(key);
        }
    }
}

void kv_store_unlock(struct kv_store *store)
{
    pthread_mutex_unlock(&store->mutex);
}

struct kv_key *kv_store_locked_find(const struct kv_store *store, const char *name)
{
    bool found = false;
    const size_t at = position_of(store, name, &found);
    return found ? store->keys[at] : NULL;
}

enum gk_status kv_store_locked_put(struct kv_store *store, struct kv_key *key,
                                   struct gk_error *error)
{
    bool found = false;
    const size_t at = position_of(store, key->name, &found);
    struct kv_key *old = found ? store->keys[at] : NULL;
    if (found) {
        store->keys[at] = key;
    } else if (store->keys_count < KV_STORE_KEYS_MAX) {
        insert_at(store, at, key);
    } else {
        kv_key_free(key);
        return gk_fail(error, GK_E_LIMIT, "the vault is full");
    }
    const enum gk_status status = save(store, error);
    if (status == GK_OK) {
        kv_key_free(old);
        return GK_OK;
    }
    if (found) {
        store->keys[at] = old;
    } else {
        take_out(store, at);
    }
    undo_in_file(store);
    kv_key_free(key);
    return status;
}

/* The file names it again, so that it can be asked for once more. */
static void keep_undestroyed(struct kv_store *store, const struct kv_key *key)
{
    if (save(store, NULL) != GK_OK) {
        gk_log(GK_LOG_ERROR, "store",
               "the key %s is left in the token: it is still to be purged, and destroyed at the "
               "next start",
               key->name);
    }
}

/* The file first: a key that it still names after a failure has its private halves. */
enum gk_status kv_store_locked_remove(struct kv_store *store, const char *name,
                                      struct gk_error *error)
{
    bool found = false;
    const size_t at = position_of(store, name, &found);
    if (!found) {
        return gk_fail(error, GK_E_NOT_FOUND, "no such key");
    }
    struct kv_key *key = store->keys[at];
    const size_t listed = store->to_destroy_count;
    take_out(store, at);
    enum gk_status status = list_private(store, key)
                                ? save(store, error)
                                : gk_fail(error, GK_E_RESOURCE, "out of memory");
    if (status != GK_OK) {
        insert_at(store, at, key);
        store->to_destroy_count = listed;
        undo_in_file(store);
        return status;
    }
    const bool in_token = store->to_destroy_count > listed;
    destroy_listed(store, listed);
    if (store->to_destroy_count > listed) {
        insert_at(store, at, key);
        store->to_destroy_count = listed;
        keep_undestroyed(store, key);
        return gk_fail(error, GK_E_UNAVAILABLE, "the token does not let the key go");
    }
    if (in_token) {
        (void)save(store, NULL); /* as destroy_left's */
    }
    kv_key_free(key);
    return GK_OK;
}
