/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a backup of an account that was shredded is refused, and of one whose shredding broke off before it destroyed
 * anything it is not; nor is such a one taken for the end that the account comes to later; and no account that was
 * shredded is brought back by a restore that was under way, or stays so.
 * Method: the real module over the embedded store, whose writes the test keeps from being carried out, or lets another
 * gateway come before.
 */
#include "gateway/account_shred.h"

#include <string.h>

#include "gateway/account_attrs.h"
#include "gateway/account_backup.h"
#include "gateway/blob/reaper.h"
#include "gateway/blob/removal.h"
#include "gateway/registry.h"
#include "gateway/shredded.h"
#include "unit/account_world.h"

#define NAME   "acme"
#define OBJECT "account/" NAME
#define RECORD "gatekey.account"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)

void __wrap_gk_reaper_note_deleted(struct gk_reaper *reaper);
void __wrap_gk_reaper_note_deleted(struct gk_reaper *reaper)
{
    (void)reaper;
}

static struct {
    unsigned errors;
} logged;

void __wrap_gk_log(enum gk_log_level level, const char *component, const char *format, ...);
void __wrap_gk_log(enum gk_log_level level, const char *component, const char *format, ...)
{
    (void)component, (void)format;
    logged.errors += level == GK_LOG_ERROR ? 1 : 0;
}

/* --- shreddings that break off ----------------------------------------------------------------- */

static bool keep_account(struct account_world *world, const struct gk_write_op *op)
{
    (void)world;
    return strcmp(op->object, OBJECT) != 0 || op->changes[0].kind != GK_CHANGE_REMOVE;
}

/* The second one to the note, after the proof. */
static bool keep_from_verifying(struct account_world *world, const struct gk_write_op *op)
{
    return strcmp(op->object, GK_SHREDDED_OBJECT) != 0 || account_world_has(world, OBJECT);
}

static enum gk_status shred(struct account_world *world, account_world_write_fn *on_write)
{
    struct gk_gateway gateway = account_world_gateway(world);
    json_t *evidence = NULL;
    world->on_write = on_write;
    const enum gk_status status = gk_account_shred(&gateway, NAME, "tester", &evidence, NULL);
    world->on_write = NULL;
    json_decref(evidence);
    return status;
}

/* --- backups ----------------------------------------------------------------------------------- */

static void make(struct account_world *world, struct gk_account_backup *backup)
{
    struct gk_gateway gateway = account_world_gateway(world);
    assert_true(account_world_create(world, NAME));
    gk_account_backup_init(backup);
    assert_int_equal(gk_account_backup_take(&gateway, NAME, "tester", backup, NULL), GK_OK);
}

static enum gk_status restore(struct account_world *world, struct gk_account_backup *backup,
                              struct gk_error *error)
{
    struct gk_gateway gateway = account_world_gateway(world);
    const struct gk_account_backup_wish wish = {.replace_profile = false};
    bool profile_restored = false;
    return gk_account_backup_restore(&gateway, backup, &wish, &by_tester, &profile_restored, error);
}

static void assert_refused(struct account_world *world, struct gk_account_backup *backup)
{
    struct gk_error error = {0};
    assert_int_equal(restore(world, backup, &error), GK_E_INVALID);
    assert_int_equal(error.http_status, 409);
    assert_string_equal(error.code, "AccountShredded");
}

static void damage_record(struct account_world *world)
{
    account_world_change(world, OBJECT,
                         (struct gk_change){.kind = GK_CHANGE_ATTR_SET,
                                            .key = gk_span_str(RECORD),
                                            .value = gk_span_str("x")});
}

/* --- tests ------------------------------------------------------------------------------------- */

static void test_account_shred__one_that_destroyed_nothing_refuses_nothing(void **state)
{
    struct account_world *world = *state;
    struct gk_account_backup backup;
    make(world, &backup);
    assert_int_equal(shred(world, keep_account), GK_E_UNAVAILABLE);
    assert_true(account_world_has(world, OBJECT));
    assert_int_equal(restore(world, &backup, NULL), GK_OK);
    damage_record(world);
    account_world_restart(world);
    assert_int_equal(restore(world, &backup, NULL), GK_OK);
    gk_accounts_put(account_world_get(world, NAME));

    assert_int_equal(shred(world, NULL), GK_OK);
    assert_refused(world, &backup);
    gk_account_backup_cleanup(&backup);
}

static void test_account_shred__one_that_is_yet_to_be_proved_refuses(void **state)
{
    struct account_world *world = *state;
    struct gk_account_backup backup;
    make(world, &backup);
    assert_int_equal(shred(world, keep_from_verifying), GK_E_UNAVAILABLE);
    assert_false(account_world_has(world, OBJECT));
    assert_refused(world, &backup);
    gk_account_backup_cleanup(&backup);
}

/* Whoever writes to the store can make an object of that name. */
static void test_account_shred__what_is_put_there_later_brings_nothing_back(void **state)
{
    struct account_world *world = *state;
    struct gk_account_backup backup;
    make(world, &backup);
    assert_int_equal(shred(world, NULL), GK_OK);
    damage_record(world);
    assert_refused(world, &backup);
    gk_account_backup_cleanup(&backup);
}

/* --- notes of what lives on -------------------------------------------------------------------- */

static enum gk_shredded_state noted(struct account_world *world, const struct gk_id *id)
{
    enum gk_shredded_state state = GK_SHREDDED_VERIFIED;
    assert_int_equal(gk_shredded_look(world->store, id, &state, NULL), GK_OK);
    return state;
}

static void review_later(struct account_world *world, int64_t ms)
{
    struct gk_gateway gateway = account_world_gateway(world);
    atomic_fetch_add(&world->ahead_ms, ms);
    assert_int_equal(gk_removal_shredded(&gateway, NULL, NULL, NULL), GK_OK);
}

static void test_account_shred__is_not_proved_by_a_deletion(void **state)
{
    struct account_world *world = *state;
    struct gk_gateway gateway = account_world_gateway(world);
    struct gk_account_backup backup;
    make(world, &backup);
    assert_int_equal(shred(world, keep_account), GK_E_UNAVAILABLE);
    assert_int_equal(noted(world, &backup.info.id), GK_SHREDDED_BEGUN);
    assert_int_equal(gk_removal_account(&gateway, NAME, NULL, NULL, NULL), GK_OK);
    assert_int_equal(noted(world, &backup.info.id), GK_SHREDDED_NOT);
    assert_int_equal(shred(world, NULL), GK_E_NOT_FOUND);
    gk_account_backup_cleanup(&backup);
}

/* One that is young may go on. */
static void test_account_shred__of_a_living_account_is_withdrawn_in_an_hour(void **state)
{
    struct account_world *world = *state;
    struct gk_account_backup backup;
    const char *const object = OBJECT;
    make(world, &backup);
    assert_int_equal(shred(world, keep_account), GK_E_UNAVAILABLE);
    review_later(world, HOUR_MS - MINUTE_MS);
    assert_int_equal(noted(world, &backup.info.id), GK_SHREDDED_BEGUN);
    review_later(world, 2 * MINUTE_MS);
    assert_int_equal(noted(world, &backup.info.id), GK_SHREDDED_NOT);
    assert_int_equal(gk_store_remove(world->store, GK_POOL_META, &object, 1, NULL), GK_OK);
    account_world_restart(world);
    assert_int_equal(shred(world, NULL), GK_E_NOT_FOUND);
    assert_int_equal(restore(world, &backup, NULL), GK_OK);
    gk_account_backup_cleanup(&backup);
}

static void test_account_shred__of_what_may_be_gone_is_not_withdrawn(void **state)
{
    struct account_world *world = *state;
    struct gk_account_backup backup;
    make(world, &backup);
    assert_int_equal(shred(world, keep_account), GK_E_UNAVAILABLE);
    damage_record(world);
    account_world_restart(world);
    review_later(world, 2 * HOUR_MS);
    assert_int_equal(noted(world, &backup.info.id), GK_SHREDDED_BEGUN);
    assert_int_equal(restore(world, &backup, NULL), GK_OK);
    assert_int_equal(shred(world, keep_from_verifying), GK_E_UNAVAILABLE);
    review_later(world, 2 * HOUR_MS);
    assert_refused(world, &backup);
    assert_int_equal(shred(world, NULL), GK_OK);
    review_later(world, 2 * HOUR_MS);
    assert_int_equal(noted(world, &backup.info.id), GK_SHREDDED_VERIFIED);
    gk_account_backup_cleanup(&backup);
}

/* --- a restore that is under way --------------------------------------------------------------- */

/* Another gateway on the store, which restores the account and shreds it just before the first one writes. */
static struct {
    struct account_world world;
    struct gk_account_backup *backup;
    account_world_write_fn *shredding; /* how its shredding breaks off; NULL: not */
    bool done;
} other;

static bool is_restoring(const struct gk_write_op *op)
{
    return strcmp(op->object, OBJECT) == 0 && op->guards_count == 1 &&
           op->guards[0].kind == GK_GUARD_ABSENT;
}

static bool let_other_come_first(struct account_world *world, const struct gk_write_op *op)
{
    if (!is_restoring(op)) {
        return true;
    }
    world->on_write = NULL;
    assert_int_equal(restore(&other.world, other.backup, NULL), GK_OK);
    world->on_write = other.shredding;
    const enum gk_status status = shred(&other.world, NULL);
    world->on_write = NULL;
    assert_int_equal(status, other.shredding == NULL ? GK_OK : GK_E_UNAVAILABLE);
    assert_false(account_world_has(world, OBJECT));
    other.done = true;
    return true;
}

static void assert_not_brought_back(struct account_world *world, account_world_write_fn *shredding)
{
    struct gk_account_backup backup;
    struct gk_gateway_account *account = NULL;
    const char *const object = OBJECT;
    bool listed = true;
    make(world, &backup);
    assert_int_equal(gk_store_remove(world->store, GK_POOL_META, &object, 1, NULL), GK_OK);
    account_world_restart(world);
    other.world = *world;
    other.backup = &backup;
    other.shredding = shredding;
    other.done = false;
    account_world_open(&other.world);
    world->on_write = let_other_come_first;
    assert_refused(world, &backup);
    assert_true(other.done);
    assert_false(account_world_has(world, OBJECT));
    assert_int_equal(gk_accounts_get(world->accounts, NAME, &account, NULL), GK_E_NOT_FOUND);
    assert_int_equal(
        gk_registry_has(world->store, GK_REGISTRY_ACCOUNT, gk_span_str(NAME), &listed, NULL),
        GK_OK);
    assert_false(listed);
    assert_int_equal(shred(world, NULL), GK_OK); /* the evidence */
    account_world_close(&other.world);
    gk_account_backup_cleanup(&backup);
}

static void test_account_shred__a_restore_under_way_brings_nothing_back(void **state)
{
    assert_not_brought_back(*state, NULL);
}

static void test_account_shred__nor_before_it_is_proved(void **state)
{
    assert_not_brought_back(*state, keep_from_verifying);
}

/* --- one that ended before its second look ----------------------------------------------------- */

static enum gk_status find_nothing(struct gk_store *store, enum gk_store_pool pool,
                                   const char *object, const struct gk_span *keys, size_t count,
                                   gk_store_visit_fn *visit, void *ctx, struct gk_error *error)
{
    (void)store, (void)pool, (void)object, (void)keys, (void)count, (void)visit, (void)ctx;
    return gk_fail(error, GK_E_UNAVAILABLE, "no answer");
}

static bool let_other_come_first_and_break_off(struct account_world *world,
                                               const struct gk_write_op *op)
{
    if (is_restoring(op)) {
        let_other_come_first(world, op);
        account_world_store.ops.map_find = find_nothing;
    }
    return true;
}

/* The account of backup, which was shredded, is there again. */
static void bring_back(struct account_world *world, struct gk_account_backup *backup)
{
    const char *const object = OBJECT;
    make(world, backup);
    assert_int_equal(gk_store_remove(world->store, GK_POOL_META, &object, 1, NULL), GK_OK);
    account_world_restart(world);
    other.world = *world;
    other.backup = backup;
    other.shredding = NULL;
    account_world_open(&other.world);
    logged.errors = 0;
    world->on_write = let_other_come_first_and_break_off;
    assert_int_equal(restore(world, backup, NULL), GK_E_UNAVAILABLE);
    world->on_write = NULL;
    account_world_store.ops.map_find = account_world_store.engine->map_find;
    assert_int_equal(logged.errors, 1);
    gk_accounts_put(account_world_get(world, NAME));
    assert_int_equal(noted(world, &backup->info.id), GK_SHREDDED_VERIFIED);
    account_world_close(&other.world);
}

static void test_account_shred__what_a_restore_left_is_deleted(void **state)
{
    struct account_world *world = *state;
    struct gk_account_backup backup;
    bring_back(world, &backup);
    review_later(world, 0);
    assert_int_equal(logged.errors, 2);
    assert_false(account_world_has(world, OBJECT));
    assert_int_equal(noted(world, &backup.info.id), GK_SHREDDED_VERIFIED);
    assert_refused(world, &backup);
    gk_account_backup_cleanup(&backup);

    struct gk_buf events;
    gk_buf_init(&events, 1u << 20);
    gk_recent_events_render(gk_plugin_host_recent(world->host), &events);
    assert_non_null(strstr(gk_buf_str(&events), "it was shredded, and has come back"));
    assert_non_null(strstr(gk_buf_str(&events), "the root key is destroyed"));
    gk_buf_cleanup(&events);
}

/* A later one of the name is nobody's business here. */
static void test_account_shred__a_later_account_of_the_name_stays(void **state)
{
    struct account_world *world = *state;
    assert_true(account_world_create(world, NAME));
    assert_int_equal(shred(world, NULL), GK_OK);
    assert_true(account_world_create(world, NAME));
    review_later(world, 2 * HOUR_MS);
    gk_accounts_put(account_world_get(world, NAME));
}

#define SHRED_TEST(function)                                                                       \
    cmocka_unit_test_setup_teardown(function, account_world_setup, account_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHRED_TEST(test_account_shred__one_that_destroyed_nothing_refuses_nothing),
        SHRED_TEST(test_account_shred__one_that_is_yet_to_be_proved_refuses),
        SHRED_TEST(test_account_shred__what_is_put_there_later_brings_nothing_back),
        SHRED_TEST(test_account_shred__is_not_proved_by_a_deletion),
        SHRED_TEST(test_account_shred__of_a_living_account_is_withdrawn_in_an_hour),
        SHRED_TEST(test_account_shred__of_what_may_be_gone_is_not_withdrawn),
        SHRED_TEST(test_account_shred__a_restore_under_way_brings_nothing_back),
        SHRED_TEST(test_account_shred__nor_before_it_is_proved),
        SHRED_TEST(test_account_shred__what_a_restore_left_is_deleted),
        SHRED_TEST(test_account_shred__a_later_account_of_the_name_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
