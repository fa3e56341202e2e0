/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: an account that is given new root keys opens all that was ever sealed, seals under the newest alone,
 * and is as dark as ever when its key is revoked. Method: data keys sealed under each generation, opened after
 * all that happens to an account's key. */
#include "plugin/reread.h"

#include "unit/instance_fixture.h"

#define GENERATIONS GK_ACCOUNT_GENERATIONS_MAX

static const struct gk_object_scope scope = {.container.bytes = {1}, .object.bytes = {2}};

struct sealed {
    uint8_t bytes[GK_SEALED_DATA_KEY_BYTES];
};

static enum gk_status new_root_key(struct fixture *fixture)
{
    fixture->error = (struct gk_error){0};
    return gk_account_new_root_key(fixture->instance, NAME, &by_tester, &fixture->error);
}

static struct gk_account *warm_account(struct fixture *fixture)
{
    struct gk_account *account = open_account(fixture);
    assert_int_equal(gk_account_warm(account, DEADLINE_MS, &fixture->error), GK_OK);
    return account;
}

static uint32_t generation_of(const struct sealed *sealed)
{
    uint32_t generation = 0;
    assert_int_equal(
        gk_data_key_generation(gk_span_of(sealed->bytes, sizeof sealed->bytes), &generation, NULL),
        GK_OK);
    return generation;
}

static void seal(struct fixture *fixture, struct sealed *sealed)
{
    struct gk_account *account = warm_account(fixture);
    struct gk_data_key *data_key = NULL;
    assert_int_equal(gk_data_key_create(account, &scope, sealed->bytes, &data_key, &fixture->error),
                     GK_OK);
    gk_data_key_free(data_key);
    gk_account_release(account);
}

static enum gk_status open_sealed(struct fixture *fixture, const struct sealed *sealed)
{
    struct gk_account *account = open_account(fixture);
    struct gk_data_key *data_key = NULL;
    fixture->error = (struct gk_error){0};
    const enum gk_status status =
        gk_data_key_open(account, &scope, gk_span_of(sealed->bytes, sizeof sealed->bytes),
                         &data_key, &fixture->error);
    gk_data_key_free(data_key);
    gk_account_release(account);
    return status;
}

static void assert_all_open(struct fixture *fixture, const struct sealed *sealed, size_t count)
{
    gk_account_release(warm_account(fixture));
    for (size_t i = 0; i < count; i++) {
        if (open_sealed(fixture, &sealed[i]) != GK_OK) {
            fail_msg("generation %u: %s", (unsigned)generation_of(&sealed[i]),
                     fixture->error.message);
        }
    }
}

static void create_with(struct fixture *fixture, enum gk_key_source source)
{
    struct gk_encryption_settings settings = customer_settings();
    settings.source = source;
    assert_int_equal(create_account(fixture, &settings), GK_OK);
}

static void set_source(struct fixture *fixture, enum gk_key_source source, const char *key_name)
{
    struct gk_encryption_settings settings = customer_settings();
    settings.source = source;
    snprintf(settings.key.name, sizeof settings.key.name, "%s", key_name);
    assert_int_equal(
        gk_account_set_encryption(fixture->instance, NAME, &settings, &by_tester, NULL), GK_OK);
}

static void check_new_is_newest(struct fixture *fixture, enum gk_key_source source)
{
    struct sealed sealed[3];
    create_with(fixture, source);
    for (uint32_t i = 0; i < 3; i++) {
        seal(fixture, &sealed[i]);
        assert_int_equal(generation_of(&sealed[i]), i + 1);
        assert_all_open(fixture, sealed, i + 1);
        assert_int_equal(new_root_key(fixture), GK_OK);
        assert_int_equal(status_of(fixture).generation, i + 2);
        assert_int_equal(status_of(fixture).oldest_generation, 1);
    }
    assert_int_equal(fake_host_events(&fixture->host, "account.root-key", "ok"), 3);
    fixture_restart(fixture);
    assert_all_open(fixture, sealed, 3);
}

static void test_new_root_key__new_data_is_under_the_newest_customer(void **state)
{
    check_new_is_newest(*state, GK_KEY_SOURCE_CUSTOMER);
}

static void test_new_root_key__new_data_is_under_the_newest_service(void **state)
{
    check_new_is_newest(*state, GK_KEY_SOURCE_SERVICE);
}

/* However many root keys there are, the vault is asked for one. */
static void test_new_root_key__a_cold_account_takes_one_unwrap(void **state)
{
    struct fixture *fixture = *state;
    struct sealed sealed[4];
    create_customer(fixture);
    for (size_t i = 0; i < 4; i++) {
        seal(fixture, &sealed[i]);
        assert_int_equal(new_root_key(fixture), GK_OK);
    }
    fixture_restart(fixture);
    const unsigned unwraps = vault_now().unwraps;
    assert_all_open(fixture, sealed, 4);
    assert_int_equal(vault_now().unwraps, unwraps + 1);
}

/* Versions come and go, keys and sources change: the older root keys hang on the active one alone. */
static void test_new_root_key__older_data_opens_whatever_wraps(void **state)
{
    struct fixture *fixture = *state;
    struct sealed sealed[2];
    create_customer(fixture);
    seal(fixture, &sealed[0]);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(new_root_key(fixture), GK_OK);
    assert_string_equal(status_of(fixture).previous_key_id, "");
    assert_false(fake_host_has(&fixture->host, NAME, GK_ACCOUNT_ATTR_PREVIOUS));
    disable_version(1, true); /* it wrapped the first root key, which it opens no more */
    seal(fixture, &sealed[1]);
    assert_all_open(fixture, sealed, 2);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_all_open(fixture, sealed, 2);
    set_source(fixture, GK_KEY_SOURCE_CUSTOMER, "other");
    fixture_restart(fixture);
    assert_all_open(fixture, sealed, 2);
    set_source(fixture, GK_KEY_SOURCE_SERVICE, "");
    fixture_restart(fixture);
    assert_all_open(fixture, sealed, 2);
    set_source(fixture, GK_KEY_SOURCE_CUSTOMER, FAKE_KEY_NAME);
    fixture_restart(fixture);
    assert_all_open(fixture, sealed, 2);
}

static void test_new_root_key__a_revocation_is_of_all_generations(void **state)
{
    struct fixture *fixture = *state;
    struct sealed sealed[2];
    create_customer(fixture);
    seal(fixture, &sealed[0]);
    assert_int_equal(new_root_key(fixture), GK_OK);
    seal(fixture, &sealed[1]);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(check_now(fixture), GK_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(open_sealed(fixture, &sealed[i]), GK_E_DENIED);
        assert_int_equal(fixture->error.http_status, 403);
    }
    /* Whoever has taken the key away gets no new root key under it. */
    assert_int_equal(new_root_key(fixture), GK_E_DENIED);
    assert_int_equal(status_of(fixture).generation, 2);
    set_unwrap(GK_VAULT_OK);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_all_open(fixture, sealed, 2);
}

static void test_new_root_key__requests_under_way_go_on(void **state)
{
    struct fixture *fixture = *state;
    struct sealed sealed;
    uint8_t stored[GK_CHUNK_SEALED_BYTES];
    struct gk_id id;
    struct gk_segment *segment = NULL;
    struct gk_data_key *data_key = NULL;
    create_customer(fixture);
    struct gk_account *account = warm_account(fixture);
    assert_int_equal(gk_data_key_create(account, &scope, sealed.bytes, &data_key, NULL), GK_OK);
    assert_int_equal(gk_segment_new(data_key, &id, &segment, NULL), GK_OK);
    assert_int_equal(new_root_key(fixture), GK_OK);
    assert_int_equal(gk_segment_seal(segment, 0, 1, gk_span_str("x"), stored, &fixture->error),
                     GK_OK);
    gk_segment_free(segment);
    gk_data_key_free(data_key);
    gk_account_release(account);
}

static void test_new_root_key__reseal_moves_to_the_newest(void **state)
{
    struct fixture *fixture = *state;
    struct sealed sealed;
    struct sealed again;
    create_customer(fixture);
    seal(fixture, &sealed);
    assert_int_equal(new_root_key(fixture), GK_OK);
    struct gk_account *account = open_account(fixture);
    assert_int_equal(gk_data_key_reseal(account, &scope,
                                        gk_span_of(sealed.bytes, sizeof sealed.bytes), &scope,
                                        again.bytes, NULL),
                     GK_OK);
    assert_int_equal(generation_of(&again), 2);
    assert_int_equal(open_sealed(fixture, &again), GK_OK);
    gk_account_release(account);
}

static void test_new_root_key__there_is_a_limit_and_it_says_what_to_do(void **state)
{
    struct fixture *fixture = *state;
    struct sealed sealed[GENERATIONS];
    create_customer(fixture);
    for (size_t i = 0; i < GENERATIONS; i++) {
        seal(fixture, &sealed[i]);
        if (i + 1 < GENERATIONS) {
            assert_int_equal(new_root_key(fixture), GK_OK);
        }
    }
    assert_int_equal(new_root_key(fixture), GK_E_INVALID);
    assert_int_equal(fixture->error.http_status, 409);
    assert_string_equal(fixture->error.code, "RootKeyGenerationsInUse");
    assert_non_null(strstr(fixture->error.message, "reseal"));
    assert_int_equal(status_of(fixture).generation, GENERATIONS);
    assert_all_open(fixture, sealed, GENERATIONS);
}

static void check_retired(struct fixture *fixture, enum gk_key_source source)
{
    struct sealed sealed[3];
    create_with(fixture, source);
    for (size_t i = 0; i < 3; i++) {
        seal(fixture, &sealed[i]);
        if (i < 2) {
            assert_int_equal(new_root_key(fixture), GK_OK);
        }
    }
    const unsigned writes = fake_host_writes(&fixture->host);
    retire_below(fixture, 1);
    assert_int_equal(fake_host_writes(&fixture->host), writes);
    retire_below(fixture, 2);
    for (unsigned i = 0; i < 2; i++) {
        gk_account_release(warm_account(fixture));
        assert_int_equal(open_sealed(fixture, &sealed[0]), GK_E_CONFLICT);
        assert_all_open(fixture, &sealed[1], 2);
        assert_int_equal(status_of(fixture).oldest_generation, 2);
        fixture_restart(fixture);
    }
    /* However much is asked for, the active one stays. */
    retire_below(fixture, UINT32_MAX);
    assert_all_open(fixture, &sealed[2], 1);
    assert_int_equal(status_of(fixture).oldest_generation, 3);
    assert_false(fake_host_holds(&fixture->host, NAME, "root-key/"));
    assert_int_equal(fake_host_events(&fixture->host, "account.root-key.retire", "ok"), 2);
}

static void test_new_root_key__what_is_retired_opens_nothing_customer(void **state)
{
    check_retired(*state, GK_KEY_SOURCE_CUSTOMER);
}

static void test_new_root_key__what_is_retired_opens_nothing_service(void **state)
{
    check_retired(*state, GK_KEY_SOURCE_SERVICE);
}

/* One that something is left under stays, and holds up none of the later ones. */
static void test_new_root_key__what_is_kept_goes_on_opening(void **state)
{
    struct fixture *fixture = *state;
    struct sealed sealed[GENERATIONS];
    const uint32_t kept[] = {2, 5};
    create_customer(fixture);
    for (size_t i = 0; i < GENERATIONS; i++) {
        seal(fixture, &sealed[i]);
        assert_int_equal(i + 1 < GENERATIONS ? new_root_key(fixture) : GK_OK, GK_OK);
    }
    const struct gk_retirement retirement = {
        .below = GENERATIONS, .kept = kept, .kept_count = sizeof kept / sizeof *kept};
    assert_int_equal(retire_root_keys(fixture, &retirement), GENERATIONS - 3);
    assert_int_equal(retire_root_keys(fixture, &retirement), 0);
    for (unsigned round = 0; round < 2; round++) {
        gk_account_release(warm_account(fixture));
        for (uint32_t i = 0; i < GENERATIONS; i++) {
            const bool stays = i + 1 == 2 || i + 1 == 5 || i + 1 == GENERATIONS;
            assert_int_equal(open_sealed(fixture, &sealed[i]), stays ? GK_OK : GK_E_CONFLICT);
        }
        assert_int_equal(status_of(fixture).oldest_generation, 2);
        fixture_restart(fixture);
    }
    for (uint32_t i = 0; i < GENERATIONS - 3; i++) {
        assert_int_equal(new_root_key(fixture), GK_OK);
    }
    assert_int_equal(open_sealed(fixture, &sealed[1]), GK_OK);
    assert_int_equal(open_sealed(fixture, &sealed[4]), GK_OK);
    assert_int_equal(new_root_key(fixture), GK_E_INVALID);
}

/* Of the account that was opened, not of who has its name by now. */
static void test_new_root_key__of_another_account_none_is_retired(void **state)
{
    struct fixture *fixture = *state;
    struct sealed sealed;
    const struct gk_call call = {.deadline_ms = DEADLINE_MS};
    uint32_t retired = 0;
    create_customer(fixture);
    struct gk_account *before = warm_account(fixture);
    fake_host_delete(&fixture->host, NAME);
    gk_account_forget(fixture->instance, NAME);
    create_customer(fixture);
    seal(fixture, &sealed);
    assert_int_equal(new_root_key(fixture), GK_OK);
    assert_int_equal(gk_account_retire_root_keys(before, &(const struct gk_retirement){.below = 2},
                                                 &retired, &call, NULL),
                     GK_E_NOT_FOUND);
    assert_int_equal(open_sealed(fixture, &sealed), GK_OK);
    gk_account_release(before);
}

static void test_new_root_key__retired_ones_make_room(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    for (uint32_t i = 2; i < 3 * GENERATIONS; i++) {
        assert_int_equal(new_root_key(fixture), GK_OK);
        retire_below(fixture, i);
        assert_int_equal(status_of(fixture).generation, i);
    }
}

/* A data key that was made before is sealed anew from its handle, also when its root key is gone by then. */
static void test_new_root_key__a_handle_is_sealed_anew(void **state)
{
    struct fixture *fixture = *state;
    struct sealed sealed;
    struct sealed again;
    struct gk_data_key *data_key = NULL;
    const struct gk_span none = {0};
    create_customer(fixture);
    struct gk_account *account = warm_account(fixture);
    assert_int_equal(gk_data_key_create(account, &scope, sealed.bytes, &data_key, NULL), GK_OK);
    assert_int_equal(new_root_key(fixture), GK_OK);
    retire_below(fixture, 2);
    assert_int_equal(gk_data_key_renew(data_key, &scope, none, 2, again.bytes, &fixture->error),
                     GK_OK);
    assert_int_equal(generation_of(&again), 2);
    assert_int_equal(open_sealed(fixture, &again), GK_OK);
    assert_int_equal(gk_data_key_renew(data_key, &scope, none, 3, again.bytes, &fixture->error),
                     GK_E_INTEGRITY);
    assert_true(again.bytes[0] == 0);
    gk_data_key_free(data_key);
    gk_account_release(account);
}

/* What is not proved is not stored. */
static void test_new_root_key__a_wrap_that_does_not_open_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct sealed sealed;
    create_customer(fixture);
    seal(fixture, &sealed);
    fake_vault_lock()->spoil_wrap = true;
    fake_vault_unlock();
    assert_int_not_equal(new_root_key(fixture), GK_OK);
    assert_int_equal(status_of(fixture).generation, 1);
    assert_int_equal(status_of(fixture).record_sequence, 1);
    fake_vault_lock()->spoil_wrap = false;
    fake_vault_unlock();
    assert_all_open(fixture, &sealed, 1);
}

static void test_new_root_key__a_conflict_begins_anew(void **state)
{
    struct fixture *fixture = *state;
    struct sealed sealed;
    create_customer(fixture);
    seal(fixture, &sealed);
    fixture->host.conflicts = 2;
    assert_int_equal(new_root_key(fixture), GK_OK);
    assert_int_equal(status_of(fixture).generation, 2);
    assert_all_open(fixture, &sealed, 1);
}

/* An older record, with the root key that was thought to have leaked, is one that was put back. */
static void test_new_root_key__the_record_before_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t before[FAKE_VALUE_MAX];
    create_customer(fixture);
    gk_account_release(warm_account(fixture));
    const size_t len = fake_host_read(&fixture->host, NAME, GK_ACCOUNT_ATTR, before, sizeof before);
    assert_int_equal(new_root_key(fixture), GK_OK);
    fake_host_write(&fixture->host, NAME, GK_ACCOUNT_ATTR, before, len);
    struct gk_account *account = open_account(fixture);
    assert_int_equal(gk_reread_now(account, NULL), GK_E_INTEGRITY);
    gk_account_release(account);
    assert_int_equal(status_of(fixture).generation, 2);
    assert_int_equal(fake_host_events(&fixture->host, "record.rollback", NULL), 1);
}

/* A data key of a generation that nobody has made is nobody's, also after a second look. */
static void test_new_root_key__an_unknown_generation_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct sealed sealed;
    create_customer(fixture);
    seal(fixture, &sealed);
    sealed.bytes[7] = 2;
    assert_int_equal(open_sealed(fixture, &sealed), GK_E_INTEGRITY);
    assert_int_equal(new_root_key(fixture), GK_OK);
    assert_int_equal(open_sealed(fixture, &sealed), GK_E_INTEGRITY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_new_root_key__new_data_is_under_the_newest_customer),
        TEST(test_new_root_key__new_data_is_under_the_newest_service),
        TEST(test_new_root_key__a_cold_account_takes_one_unwrap),
        TEST(test_new_root_key__older_data_opens_whatever_wraps),
        TEST(test_new_root_key__a_revocation_is_of_all_generations),
        TEST(test_new_root_key__requests_under_way_go_on),
        TEST(test_new_root_key__reseal_moves_to_the_newest),
        TEST(test_new_root_key__there_is_a_limit_and_it_says_what_to_do),
        TEST(test_new_root_key__what_is_retired_opens_nothing_customer),
        TEST(test_new_root_key__what_is_retired_opens_nothing_service),
        TEST(test_new_root_key__what_is_kept_goes_on_opening),
        TEST(test_new_root_key__of_another_account_none_is_retired),
        TEST(test_new_root_key__retired_ones_make_room),
        TEST(test_new_root_key__a_handle_is_sealed_anew),
        TEST(test_new_root_key__a_wrap_that_does_not_open_changes_nothing),
        TEST(test_new_root_key__a_conflict_begins_anew),
        TEST(test_new_root_key__the_record_before_is_refused),
        TEST(test_new_root_key__an_unknown_generation_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
