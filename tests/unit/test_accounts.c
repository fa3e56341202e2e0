/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: accounts are made once and completed when they were half made, their keys change at once for
 * everybody, and what is not their own in the store is not served.
 * Method: the real module with a service key, over the embedded store; the test writes to the store
 * what a crash or a foe would leave there.
 */
#include "gateway/accounts.h"

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/account_attrs.h"
#include "gateway/account_profile.h"
#include "unit/account_world.h"

static void assert_not_served(struct account_world *world, const char *name,
                              enum gk_status expected)
{
    struct gk_gateway_account *account = NULL;
    struct gk_error error = {0};
    assert_int_equal(gk_accounts_get(world->accounts, name, &account, &error), expected);
    assert_null(account);
    if (expected == GK_E_NOT_FOUND) {
        assert_int_equal(error.http_status, 404);
    }
}

/* A copy of the account's keys, for comparisons. */
static struct gk_access_keys keys_of(struct account_world *world, const char *name)
{
    struct gk_gateway_account *account = account_world_get(world, name);
    const struct gk_access_keys keys = *account->keys;
    gk_accounts_put(account);
    return keys;
}

struct attr_copy {
    const char *name;
    struct gk_buf value;
};

static void copy_attr(void *ctx, const struct gk_attr *attr)
{
    struct attr_copy *copy = ctx;
    if (strcmp(attr->name, copy->name) == 0) {
        gk_buf_append(&copy->value, attr->value.data, attr->value.len);
    }
}

/* Reads the gateway's own attribute of an account; the caller cleans the buffer up. */
static struct gk_buf read_profile(struct account_world *world, const char *name, uint64_t *version)
{
    struct attr_copy copy = {.name = GK_ACCOUNT_PROFILE_ATTR};
    gk_buf_init(&copy.value, GK_ACCOUNT_PROFILE_BYTES_MAX);
    assert_int_equal(gk_account_attrs_get(world->store, name, copy_attr, &copy, version, NULL),
                     GK_OK);
    return copy.value;
}

/* Writes it past the gateway, which then has to read it again. An empty span removes it. */
static void write_profile(struct account_world *world, const char *name, struct gk_span value)
{
    uint64_t version = 0;
    struct gk_buf before = read_profile(world, name, &version);
    const struct gk_attr change = {.name = GK_ACCOUNT_PROFILE_ATTR, .value = value};
    assert_int_equal(gk_account_attrs_set_if(world->store, name, version, &change, 1, NULL, NULL),
                     GK_OK);
    gk_buf_cleanup(&before);
    gk_accounts_drop(world->accounts, name);
}

/* --- making ------------------------------------------------------------------------------------- */

static void test_accounts__create_and_get(void **state)
{
    struct account_world *world = *state;
    assert_not_served(world, "acct", GK_E_NOT_FOUND);
    assert_true(account_world_create(world, "acct"));
    struct gk_gateway_account *account = account_world_get(world, "acct");
    assert_string_equal(account->name, "acct");
    assert_string_equal(account->object, "account/acct");
    assert_string_equal(account->location, "westeurope");
    assert_string_equal(account->arm_json, "{\"a\":1}");
    assert_non_null(account->handle);
    assert_true(account->created_wall_ms > 0);
    assert_false(account->https_only);
    assert_memory_not_equal(account->keys->key[0], account->keys->key[1], GK_ACCESS_KEY_BYTES);
    struct gk_gateway_account *again = account_world_get(world, "acct");
    assert_ptr_equal(again, account);
    gk_accounts_put(again);
    gk_accounts_put(account);
}

static void test_accounts__names(void **state)
{
    struct account_world *world = *state;
    static const struct {
        const char *name;
        bool good;
    } rows[] = {
        {"abc", true},
        {"0123456789abcdefghijklmn", true},
        {"ab", false},
        {"0123456789abcdefghijklmno", false},
        {"", false},
        {"Acct", false},
        {"ac-ct", false},
        {"ac/ct", false},
        {"ac\xc3\xa4t", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool created = false;
        struct gk_error error = {0};
        assert_int_equal(gk_accounts_create(world->accounts, rows[i].name, &service_managed, "x",
                                            "{}", &by_tester, &created, &error),
                         rows[i].good ? GK_OK : GK_E_INVALID);
        assert_int_equal(created, rows[i].good);
        if (!rows[i].good) {
            assert_string_equal(error.code, "AccountNameInvalid");
            assert_not_served(world, rows[i].name, GK_E_NOT_FOUND);
        }
    }
}

static void test_accounts__a_second_create_changes_nothing(void **state)
{
    struct account_world *world = *state;
    assert_true(account_world_create(world, "acct"));
    const struct gk_access_keys before = keys_of(world, "acct");
    assert_false(account_world_create(world, "acct"));
    const struct gk_access_keys after = keys_of(world, "acct");
    assert_memory_equal(&after, &before, sizeof before);
}

/* A refusal comes before anything is stored. */
static void test_accounts__a_refused_create_leaves_nothing(void **state)
{
    struct account_world *world = *state;
    bool created = true;
    char location[100];
    memset(location, 'l', sizeof location);
    location[99] = '\0';
    assert_int_equal(gk_accounts_create(world->accounts, "acct", &service_managed, location, "{}",
                                        &by_tester, &created, NULL),
                     GK_E_LIMIT);
    assert_false(created);
    uint64_t version = 0;
    assert_int_equal(gk_account_attrs_get(world->store, "acct", copy_attr, NULL, &version, NULL),
                     GK_E_NOT_FOUND);
}

/* The plugin's record is there and the gateway's is not: nothing is served, and a create completes. */
static void test_accounts__a_half_made_account_is_completed(void **state)
{
    struct account_world *world = *state;
    assert_true(account_world_create(world, "acct"));
    struct gk_gateway_account *account = account_world_get(world, "acct");
    const struct gk_id id = account->id;
    gk_accounts_put(account);
    write_profile(world, "acct", (struct gk_span){0});
    assert_not_served(world, "acct", GK_E_NOT_FOUND);
    assert_true(account_world_create(world, "acct"));
    account = account_world_get(world, "acct");
    assert_memory_equal(&account->id, &id, sizeof id);
    gk_accounts_put(account);
}

static void test_accounts__stay_over_a_restart(void **state)
{
    struct account_world *world = *state;
    assert_true(account_world_create(world, "acct"));
    const struct gk_access_keys before = keys_of(world, "acct");
    account_world_restart(world);
    const struct gk_access_keys after = keys_of(world, "acct");
    assert_memory_equal(&after, &before, sizeof before);
}

/* --- changing ----------------------------------------------------------------------------------- */

static void test_accounts__regenerate_one_key(void **state)
{
    struct account_world *world = *state;
    assert_true(account_world_create(world, "acct"));
    struct gk_gateway_account *held = account_world_get(world, "acct");
    const struct gk_access_keys before = *held->keys;
    assert_int_equal(gk_accounts_regenerate_key(world->accounts, "acct", 1, NULL), GK_OK);
    const struct gk_access_keys after = keys_of(world, "acct");
    assert_memory_equal(after.key[0], before.key[0], GK_ACCESS_KEY_BYTES);
    assert_memory_not_equal(after.key[1], before.key[1], GK_ACCESS_KEY_BYTES);
    assert_true(after.created_wall_ms[1] >= before.created_wall_ms[1]);
    /* Who holds the account goes on with what it had. */
    assert_memory_equal(held->keys, &before, sizeof before);
    gk_accounts_put(held);
    assert_int_equal(gk_accounts_regenerate_key(world->accounts, "acct", 2, NULL), GK_E_INVALID);
    assert_int_equal(gk_accounts_regenerate_key(world->accounts, "none", 0, NULL), GK_E_NOT_FOUND);
}

static void test_accounts__set_arm(void **state)
{
    struct account_world *world = *state;
    assert_true(account_world_create(world, "acct"));
    const struct gk_access_keys before = keys_of(world, "acct");
    assert_int_equal(gk_accounts_set_arm(world->accounts, "acct", "{\"httpsOnly\":true}", NULL),
                     GK_OK);
    struct gk_gateway_account *account = account_world_get(world, "acct");
    assert_string_equal(account->arm_json, "{\"httpsOnly\":true}");
    assert_true(account->https_only);
    assert_memory_equal(account->keys, &before, sizeof before);
    gk_accounts_put(account);
    assert_int_equal(gk_accounts_set_arm(world->accounts, "none", "{}", NULL), GK_E_NOT_FOUND);
    /* What cannot be read is taken for the stricter. */
    assert_int_equal(gk_accounts_set_arm(world->accounts, "acct", "not JSON", NULL), GK_OK);
    account = account_world_get(world, "acct");
    assert_true(account->https_only);
    gk_accounts_put(account);
}

/* --- what is not the account's own -------------------------------------------------------------- */

static void test_accounts__a_changed_profile_is_not_served(void **state)
{
    struct account_world *world = *state;
    assert_true(account_world_create(world, "acct"));
    uint64_t version = 0;
    struct gk_buf good = read_profile(world, "acct", &version);
    for (size_t at = 0; at < good.len; at += 7) {
        good.data[at] ^= 0x10;
        write_profile(world, "acct", gk_buf_span(&good));
        assert_not_served(world, "acct", GK_E_INTEGRITY);
        good.data[at] ^= 0x10;
    }
    write_profile(world, "acct", gk_span_of(good.data, good.len - 1));
    assert_not_served(world, "acct", GK_E_INTEGRITY);
    write_profile(world, "acct", gk_buf_span(&good));
    gk_accounts_put(account_world_get(world, "acct"));
    gk_buf_cleanup(&good);
}

static void test_accounts__a_profile_of_another_is_not_served(void **state)
{
    struct account_world *world = *state;
    assert_true(account_world_create(world, "mine"));
    assert_true(account_world_create(world, "victim"));
    uint64_t version = 0;
    struct gk_buf mine = read_profile(world, "mine", &version);
    write_profile(world, "victim", gk_buf_span(&mine));
    assert_not_served(world, "victim", GK_E_INTEGRITY);
    gk_buf_cleanup(&mine);
}

/* --- listing ------------------------------------------------------------------------------------ */

struct names {
    char text[128];
    unsigned left;
};

static bool add_name(void *ctx, const char *name)
{
    struct names *names = ctx;
    strcat(names->text, name);
    strcat(names->text, " ");
    return --names->left > 0;
}

static void test_accounts__list(void **state)
{
    struct account_world *world = *state;
    static const char *const made[] = {"bbb", "aaa", "ccc"};
    struct names names = {.left = 10};
    assert_int_equal(gk_accounts_list(world->accounts, "", add_name, &names, NULL), GK_OK);
    assert_string_equal(names.text, "");
    for (size_t i = 0; i < 3; i++) {
        assert_true(account_world_create(world, made[i]));
    }
    /* What is no account's name is none. */
    const struct gk_change change = {.kind = GK_CHANGE_CREATE};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = GK_ACCOUNT_OBJECT_PREFIX "Not-one",
                                   .changes = &change,
                                   .changes_count = 1};
    assert_int_equal(gk_store_write(world->store, &op, NULL, NULL), GK_OK);
    assert_int_equal(gk_accounts_list(world->accounts, "", add_name, &names, NULL), GK_OK);
    assert_string_equal(names.text, "aaa bbb ccc ");
    struct names two = {.left = 2};
    assert_int_equal(gk_accounts_list(world->accounts, "", add_name, &two, NULL), GK_OK);
    assert_string_equal(two.text, "aaa bbb ");
    struct names rest = {.left = 10};
    assert_int_equal(gk_accounts_list(world->accounts, "aaa", add_name, &rest, NULL), GK_OK);
    assert_string_equal(rest.text, "bbb ccc ");
    assert_int_equal(gk_accounts_list(world->accounts, "ccc", add_name, &rest, NULL), GK_OK);
    assert_string_equal(rest.text, "bbb ccc ");
}

/* --- threads ------------------------------------------------------------------------------------ */

#define THREADS 8u
#define ROUNDS  40u

struct crowd {
    struct account_world *world;
    atomic_uint number;
    atomic_uint failures;
};

/* The first two regenerate a key each and must find it changed at once; the others look. */
static void *change_or_look(void *ctx)
{
    struct crowd *crowd = ctx;
    struct gk_accounts *accounts = crowd->world->accounts;
    const unsigned self = atomic_fetch_add(&crowd->number, 1);
    struct gk_access_keys last = {0};
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct gk_gateway_account *account = NULL;
        if (self < 2 && gk_accounts_regenerate_key(accounts, "acct", self, NULL) != GK_OK) {
            atomic_fetch_add(&crowd->failures, 1);
        }
        if (gk_accounts_get(accounts, "acct", &account, NULL) != GK_OK) {
            atomic_fetch_add(&crowd->failures, 1);
            continue;
        }
        if (self < 2 &&
            memcmp(account->keys->key[self], last.key[self], GK_ACCESS_KEY_BYTES) == 0) {
            atomic_fetch_add(&crowd->failures, 1);
        }
        last = *account->keys;
        gk_accounts_put(account);
    }
    return NULL;
}

static void test_accounts__keys_change_under_way(void **state)
{
    struct account_world *world = *state;
    struct crowd crowd = {.world = world};
    pthread_t threads[THREADS];
    assert_true(account_world_create(world, "acct"));
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, change_or_look, &crowd), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&crowd.failures), 0);
}

/* Several create the same account: it is made once, and all see the same one. */
static void *make_one(void *ctx)
{
    struct crowd *crowd = ctx;
    bool created = false;
    if (gk_accounts_create(crowd->world->accounts, "acct", &service_managed, "x", "{}", &by_tester,
                           &created, NULL) != GK_OK) {
        atomic_fetch_add(&crowd->failures, 1);
    }
    atomic_fetch_add(&crowd->number, created);
    return NULL;
}

static void test_accounts__made_once(void **state)
{
    struct account_world *world = *state;
    struct crowd crowd = {.world = world};
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, make_one, &crowd), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&crowd.failures), 0);
    assert_int_equal(atomic_load(&crowd.number), 1);
    gk_accounts_put(account_world_get(world, "acct"));
}

#define ACCOUNTS_TEST(function)                                                                    \
    cmocka_unit_test_setup_teardown(function, account_world_setup, account_world_teardown)

/* --- names --------------------------------------------------------------------------------------*/

static void test_accounts__names_and_their_objects(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *object; /* NULL: it is no name */
    } rows[] = {{"abc", "account/abc"},
                {"abc/a-b", "scope/abc/a-b"},
                {"abc/012345678901234567890123456789012345678901234567890123456789012",
                 "scope/abc/012345678901234567890123456789012345678901234567890123456789012"},
                {"abc/0123456789012345678901234567890123456789012345678901234567890123", NULL},
                {"ab", NULL},
                {"ab/abc", NULL},
                {"abc/", NULL},
                {"abc/ab", NULL},
                {"abc/-ab", NULL},
                {"abc/ab-", NULL},
                {"abc/a--b", NULL},
                {"abc/a_b", NULL},
                {"abc/ABC", NULL},
                {"abc/abc/abc", NULL},
                {"abc/..", NULL},
                {"../abc", NULL},
                {"", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
        const enum gk_status status = gk_account_object(rows[i].name, object, NULL);
        assert_int_equal(status, rows[i].object == NULL ? GK_E_INVALID : GK_OK);
        assert_string_equal(object, rows[i].object == NULL ? "" : rows[i].object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accounts__names_and_their_objects),
        ACCOUNTS_TEST(test_accounts__create_and_get),
        ACCOUNTS_TEST(test_accounts__names),
        ACCOUNTS_TEST(test_accounts__a_second_create_changes_nothing),
        ACCOUNTS_TEST(test_accounts__a_refused_create_leaves_nothing),
        ACCOUNTS_TEST(test_accounts__a_half_made_account_is_completed),
        ACCOUNTS_TEST(test_accounts__stay_over_a_restart),
        ACCOUNTS_TEST(test_accounts__regenerate_one_key),
        ACCOUNTS_TEST(test_accounts__set_arm),
        ACCOUNTS_TEST(test_accounts__a_changed_profile_is_not_served),
        ACCOUNTS_TEST(test_accounts__a_profile_of_another_is_not_served),
        ACCOUNTS_TEST(test_accounts__list),
        ACCOUNTS_TEST(test_accounts__keys_change_under_way),
        ACCOUNTS_TEST(test_accounts__made_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
