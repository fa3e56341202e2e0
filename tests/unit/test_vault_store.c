/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: keys are there again after the store was closed, a change that could not be written never
 * happened, and a file that is not ours is refused. Method: a store in a directory of its own,
 * made unwritable in between by a directory that stands where the new file would, or by one that cannot be synced.
 */
#include "keyvaultd/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyvaultd/json_memory.h"
#include "keyvaultd/rsa.h"
#include "unit/cmocka_all.h"
#include "unit/store_place.h"

struct fixture {
    char place[STORE_PLACE_BYTES];
    char dir[STORE_PLACE_BYTES + 16];
    EVP_PKEY *rsa;
    json_t *tags;
    struct kv_store *store;
};

/* --- the token ----------------------------------------------------------------------------------*/

static unsigned destroyed; /* private halves */
static bool token_is_away;
static const char *kept_path; /* a process that is killed before it destroys anything leaves this */
static const char *kept_as;

bool __wrap_kv_hsm_destroy(struct kv_hsm *hsm, const char *id);
bool __wrap_kv_hsm_destroy(struct kv_hsm *hsm, const char *id)
{
    (void)hsm, (void)id;
    if (kept_path != NULL) {
        assert_int_equal(link(kept_path, kept_as), 0);
        kept_path = NULL;
    }
    destroyed += !token_is_away;
    return !token_is_away;
}

/* --- the medium ---------------------------------------------------------------------------------*/

static bool no_names_are_synced;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    if (no_names_are_synced && S_ISDIR(info.st_mode)) {
        errno = EIO;
        return -1;
    }
    return __real_fsync(fd);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    assert_true(store_place_make(fixture->place));
    snprintf(fixture->dir, sizeof fixture->dir, "%s/state", fixture->place);
    fixture->rsa = kv_rsa_generate(2048);
    fixture->tags = json_pack("{s:s}", "a", "b");
    assert_non_null(fixture->rsa);
    assert_int_equal(kv_store_open(fixture->dir, NULL, &fixture->store, NULL), GK_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    kv_store_close(fixture->store);
    EVP_PKEY_free(fixture->rsa);
    json_decref(fixture->tags);
    store_place_remove(fixture->place);
    free(fixture);
    return 0;
}

static void reopen_with(struct fixture *fixture, struct kv_hsm *hsm)
{
    kv_store_close(fixture->store);
    assert_int_equal(kv_store_open(fixture->dir, hsm, &fixture->store, NULL), GK_OK);
}

static void reopen(struct fixture *fixture)
{
    reopen_with(fixture, NULL);
}

/* Nothing can be written while a directory stands where the new file would. */
static void block(const struct fixture *fixture, bool blocked)
{
    char path[STORE_PLACE_BYTES + 64];
    snprintf(path, sizeof path, "%s/vault.json.new", fixture->dir);
    assert_int_equal(blocked ? mkdir(path, 0700) : rmdir(path), 0);
}

/* A copy of the key, or a new one, with one version more. */
static struct kv_key *extended(const struct fixture *fixture, const char *name)
{
    const struct kv_version version = {
        .rsa = fixture->rsa,
        .hsm = true,
        .key_ops = KV_OP_WRAP | KV_OP_UNWRAP,
        .attributes = {.enabled = true, .nbf_s = 1, .exp_s = 2, .created_s = 3, .updated_s = 4},
        .tags = fixture->tags};
    const struct kv_key *old = kv_store_locked_find(fixture->store, name);
    struct kv_key *key = old == NULL ? kv_key_new(name) : kv_key_copy(old);
    assert_non_null(key);
    assert_non_null(kv_key_add_version(key, &version));
    return key;
}

static enum gk_status put(struct fixture *fixture, const char *name)
{
    kv_store_lock(fixture->store, 0);
    const enum gk_status status =
        kv_store_locked_put(fixture->store, extended(fixture, name), NULL);
    kv_store_unlock(fixture->store);
    return status;
}

static size_t versions_of(struct fixture *fixture, const char *name)
{
    kv_store_lock(fixture->store, 0);
    const struct kv_key *key = kv_store_locked_find(fixture->store, name);
    const size_t count = key == NULL ? 0 : key->versions_count;
    kv_store_unlock(fixture->store);
    return count;
}

static void test_vault_store__keeps_everything(void **state)
{
    struct fixture *fixture = *state;
    uint8_t secret[KV_TOKEN_SECRET_BYTES];
    assert_int_equal(put(fixture, "second"), GK_OK);
    assert_int_equal(put(fixture, "First"), GK_OK);
    assert_int_equal(put(fixture, "first"), GK_OK); /* the same name: another version */
    char id[KV_VERSION_BYTES];
    memcpy(id, kv_store_locked_find(fixture->store, "FIRST")->versions[1].id, sizeof id);
    memcpy(secret, fixture->store->token_secret, sizeof secret);
    assert_int_equal(kv_store_keep_ports(fixture->store, 12, 34, NULL), GK_OK);
    reopen(fixture);
    assert_memory_equal(fixture->store->token_secret, secret, sizeof secret);
    assert_int_equal(fixture->store->port, 12);
    assert_int_equal(fixture->store->imds_port, 34);
    assert_int_equal(fixture->store->keys_count, 2);
    const struct kv_key *key = kv_store_locked_find(fixture->store, "first");
    assert_string_equal(key->name, "First");
    assert_int_equal(key->versions_count, 2);
    const struct kv_version *version = kv_key_version(key, NULL);
    assert_string_equal(version->id, id);
    assert_int_equal(EVP_PKEY_eq(version->rsa, fixture->rsa), 1);
    assert_true(version->hsm && version->attributes.enabled);
    assert_int_equal(version->key_ops, KV_OP_WRAP | KV_OP_UNWRAP);
    assert_int_equal(version->attributes.nbf_s, 1);
    assert_int_equal(version->attributes.exp_s, 2);
    assert_int_equal(version->attributes.created_s, 3);
    assert_int_equal(version->attributes.updated_s, 4);
    assert_true(json_equal(version->tags, fixture->tags));
}

/* --- what is left in memory --- */

/* Into memory that is not of the heap, and by nothing that uses it. */
static void read_text(const char *path, char *text, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t got = 0;
    assert_true(fd >= 0);
    while (len < size - 1 && (got = read(fd, text + len, size - 1 - len)) > 0) {
        len += (size_t)got;
    }
    close(fd);
    text[len] = '\0';
}

/* Of the only private key, as the file has it. */
static const char *private_part(const struct fixture *fixture)
{
    static char text[16384];
    char path[STORE_PLACE_BYTES + 64];
    snprintf(path, sizeof path, "%s/vault.json", fixture->dir);
    read_text(path, text, sizeof text);
    char *key = strstr(text, "\"private\":\"");
    assert_non_null(key);
    key += 1024;
    key[64] = '\0';
    return key;
}

static bool heap_has(const char *part)
{
    static char maps[65536];
    char *begin = NULL;
    char *end = NULL;
    read_text("/proc/self/maps", maps, sizeof maps);
    char *line = strstr(maps, "[heap]");
    while (line != NULL && line > maps && line[-1] != '\n') {
        line--;
    }
    return line != NULL && sscanf(line, "%p-%p", (void **)&begin, (void **)&end) == 2 &&
           memmem(begin, (size_t)(end - begin), part, strlen(part)) != NULL;
}

static void test_vault_store__leaves_no_private_key_in_freed_memory(void **state)
{
    struct fixture *fixture = *state;
#ifdef GATEKEY_SANITIZED
    skip(); /* a sanitizer's heap is elsewhere */
#endif
    assert_int_equal(put(fixture, "key"), GK_OK);
    const char *part = private_part(fixture);
    assert_false(heap_has(part));
    reopen(fixture);
    assert_false(heap_has(part));
    char *copy = strdup(part); /* the look finds what is there */
    assert_true(heap_has(part));
    free(copy);
}

static void test_vault_store__keeps_rotation_policies(void **state)
{
    struct fixture *fixture = *state;
    const struct kv_rotation_policy policy = {.rotate_after_create = {"P1M", 1, 0},
                                              .notify_before_expiry = {"P9D", 0, 9 * GK_DAY_S},
                                              .expiry_time = {"P90D", 0, 90 * GK_DAY_S},
                                              .created_s = 5,
                                              .updated_s = 6};
    kv_store_lock(fixture->store, 0);
    struct kv_key *key = extended(fixture, "key");
    key->rotation = policy;
    assert_int_equal(kv_store_locked_put(fixture->store, key, NULL), GK_OK);
    kv_store_unlock(fixture->store);
    assert_int_equal(put(fixture, "key"), GK_OK); /* a change to a copy */
    reopen(fixture);
    key = kv_store_locked_find(fixture->store, "key");
    assert_memory_equal(&key->rotation, &policy, sizeof policy);
}

static void test_vault_store__undoes_what_it_cannot_write(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "key"), GK_OK);
    block(fixture, true);
    assert_int_equal(put(fixture, "key"), GK_E_RESOURCE);
    assert_int_equal(put(fixture, "other"), GK_E_RESOURCE);
    kv_store_lock(fixture->store, 0);
    assert_int_equal(kv_store_locked_remove(fixture->store, "key", NULL), GK_E_RESOURCE);
    kv_store_unlock(fixture->store);
    assert_int_equal(versions_of(fixture, "key"), 1);
    assert_int_equal(versions_of(fixture, "other"), 0);
    block(fixture, false);
    reopen(fixture);
    assert_int_equal(versions_of(fixture, "key"), 1);
    assert_int_equal(fixture->store->keys_count, 1);
}

static void test_vault_store__undoes_what_it_cannot_sync(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(put(fixture, "key"), GK_OK);
    no_names_are_synced = true;
    assert_int_equal(put(fixture, "key"), GK_E_RESOURCE);
    assert_int_equal(put(fixture, "other"), GK_E_RESOURCE);
    kv_store_lock(fixture->store, 0);
    assert_int_equal(kv_store_locked_remove(fixture->store, "key", NULL), GK_E_RESOURCE);
    kv_store_unlock(fixture->store);
    no_names_are_synced = false;
    assert_int_equal(versions_of(fixture, "key"), 1);
    reopen(fixture);
    assert_int_equal(versions_of(fixture, "key"), 1);
    assert_int_equal(fixture->store->keys_count, 1);
}

static void test_vault_store__purges_what_is_due(void **state)
{
    struct fixture *fixture = *state;
    kv_store_lock(fixture->store, 0);
    struct kv_key *key = extended(fixture, "key");
    key->deleted_s = 100;
    key->purge_s = 200;
    assert_int_equal(kv_store_locked_put(fixture->store, key, NULL), GK_OK);
    kv_store_unlock(fixture->store);
    reopen(fixture);
    kv_store_lock(fixture->store, 199);
    assert_non_null(kv_store_locked_find(fixture->store, "key"));
    kv_store_unlock(fixture->store);
    kv_store_lock(fixture->store, 200);
    assert_null(kv_store_locked_find(fixture->store, "key"));
    kv_store_unlock(fixture->store);
}

/* --- of a Managed HSM --- */

static struct kv_hsm *a_token(void)
{
    static int token;
    return (struct kv_hsm *)(void *)&token;
}

static enum gk_status remove_key(struct fixture *fixture)
{
    kv_store_lock(fixture->store, 0);
    const enum gk_status status = kv_store_locked_remove(fixture->store, "key", NULL);
    kv_store_unlock(fixture->store);
    return status;
}

static void put_in_token(struct fixture *fixture)
{
    reopen_with(fixture, a_token());
    kv_store_lock(fixture->store, 0);
    struct kv_key *key = extended(fixture, "key");
    memset(key->versions[0].hsm_id, 'a', KV_HSM_ID_BYTES - 1);
    assert_int_equal(kv_store_locked_put(fixture->store, key, NULL), GK_OK);
    kv_store_unlock(fixture->store);
    destroyed = 0;
    token_is_away = false;
}

static void test_vault_store__destroys_nothing_before_that_is_written(void **state)
{
    struct fixture *fixture = *state;
    put_in_token(fixture);
    block(fixture, true);
    assert_int_equal(remove_key(fixture), GK_E_RESOURCE);
    assert_int_equal(versions_of(fixture, "key"), 1);
    assert_int_equal(destroyed, 0);
    block(fixture, false);
    assert_int_equal(remove_key(fixture), GK_OK);
    assert_int_equal(destroyed, 1);
    reopen_with(fixture, a_token());
    assert_int_equal(versions_of(fixture, "key"), 0);
}

static void test_vault_store__keeps_a_key_that_the_token_keeps(void **state)
{
    struct fixture *fixture = *state;
    put_in_token(fixture);
    token_is_away = true;
    assert_int_equal(remove_key(fixture), GK_E_UNAVAILABLE);
    reopen_with(fixture, a_token());
    assert_int_equal(versions_of(fixture, "key"), 1);
    token_is_away = false;
    assert_int_equal(remove_key(fixture), GK_OK);
    assert_int_equal(destroyed, 1);
}

static void test_vault_store__destroys_what_a_killed_process_has_left(void **state)
{
    struct fixture *fixture = *state;
    char path[STORE_PLACE_BYTES + 64];
    char copy[STORE_PLACE_BYTES + 64];
    snprintf(path, sizeof path, "%s/vault.json", fixture->dir);
    snprintf(copy, sizeof copy, "%s/kept.json", fixture->dir);
    put_in_token(fixture);
    kept_path = path;
    kept_as = copy;
    assert_int_equal(remove_key(fixture), GK_OK);
    assert_int_equal(destroyed, 1);
    reopen_with(fixture, a_token());
    assert_int_equal(destroyed, 1); /* nothing is left of it */
    assert_int_equal(rename(copy, path), 0);
    token_is_away = true;
    reopen_with(fixture, a_token());
    assert_int_equal(versions_of(fixture, "key"), 0);
    assert_int_equal(kv_store_keep_ports(fixture->store, 12, 34, NULL), GK_OK);
    token_is_away = false;
    reopen_with(fixture, a_token());
    assert_int_equal(destroyed, 2);
    reopen_with(fixture, a_token());
    assert_int_equal(destroyed, 2);
}

static void test_vault_store__is_closed_to_others(void **state)
{
    struct fixture *fixture = *state;
    char path[STORE_PLACE_BYTES + 64];
    struct stat info;
    struct kv_store *second = NULL;
    snprintf(path, sizeof path, "%s/vault.json", fixture->dir);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(stat(fixture->dir, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    assert_int_equal(kv_store_open(fixture->dir, NULL, &second, NULL), GK_E_CONFLICT);
    assert_null(second);
}

static void test_vault_store__refuses_another_file(void **state)
{
    struct fixture *fixture = *state;
    static const char *const contents[] = {"", "{}", "[]", "{\"format\":1}",
                                           "{\"format\":2,\"port\":0,\"imdsPort\":0,\"keys\":[]}"};
    char path[STORE_PLACE_BYTES + 64];
    snprintf(path, sizeof path, "%s/vault.json", fixture->dir);
    kv_store_close(fixture->store);
    fixture->store = NULL;
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        fputs(contents[i], file);
        fclose(file);
        assert_int_equal(kv_store_open(fixture->dir, NULL, &fixture->store, NULL), GK_E_INVALID);
        assert_null(fixture->store);
    }
}

int main(void)
{
    kv_json_memory_wipe_freed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_vault_store__keeps_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_vault_store__leaves_no_private_key_in_freed_memory,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_vault_store__keeps_rotation_policies, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_vault_store__undoes_what_it_cannot_write, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_vault_store__undoes_what_it_cannot_sync, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_vault_store__purges_what_is_due, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_vault_store__destroys_nothing_before_that_is_written,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_vault_store__keeps_a_key_that_the_token_keeps, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_vault_store__destroys_what_a_killed_process_has_left,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_vault_store__is_closed_to_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_vault_store__refuses_another_file, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
