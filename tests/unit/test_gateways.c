/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: two gateways on one store are one to their customers: what is changed through one is obeyed by
 * the other, told or not, and only one of them does what is to be done once. Method: two instances on
 * one fake host, whose clock stands until the test moves it. */
#include "common/text.h"
#include "plugin/key_news.h"
#include "plugin/reread.h"

#include "unit/instance_fixture.h"

#define OTHER_KEY   "other"
#define INTERVAL_MS 1000

static const struct gk_object_scope scope = {.container.bytes = {1}, .object.bytes = {2}};

/* The host is here's; there uses it too. */
struct pair {
    struct fixture here;
    struct fixture there;
};

static void start_there(struct pair *pair)
{
    struct gk_instance *here = pair->here.instance;
    fixture_start(&pair->here);
    pair->there.instance = pair->here.instance;
    pair->here.instance = here;
}

static int pair_setup(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL) {
        return -1;
    }
    fake_host_init(&pair->here.host);
    fake_vault_reset();
    fixture_start(&pair->here);
    start_there(pair);
    *state = pair;
    return 0;
}

static int pair_teardown(void **state)
{
    struct pair *pair = *state;
    gk_instance_destroy(pair->there.instance);
    gk_instance_destroy(pair->here.instance);
    fake_host_cleanup(&pair->here.host);
    free(pair);
    return 0;
}

static struct fake_host *host_of(struct pair *pair)
{
    return &pair->here.host;
}

static void create_service_managed(struct pair *pair)
{
    const struct gk_encryption_settings settings = {.source = GK_KEY_SOURCE_SERVICE};
    assert_int_equal(create_account(&pair->here, &settings), GK_OK);
}

static void warm(struct fixture *fixture)
{
    struct gk_account *account = open_account(fixture);
    assert_int_equal(gk_account_warm(account, DEADLINE_MS, &fixture->error), GK_OK);
    gk_account_release(account);
}

/* In use in both. */
static void create_in_both(struct pair *pair, enum gk_key_source source)
{
    if (source == GK_KEY_SOURCE_SERVICE) {
        create_service_managed(pair);
    } else {
        create_customer(&pair->here);
    }
    warm(&pair->there);
}

static void set_here(struct pair *pair, enum gk_key_source source, const char *key_name)
{
    struct gk_encryption_settings settings = customer_settings();
    settings.source = source;
    snprintf(settings.key.name, sizeof settings.key.name, "%s", key_name);
    assert_int_equal(
        gk_account_set_encryption(pair->here.instance, NAME, &settings, &by_tester, NULL), GK_OK);
}

static void nap(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL);
}

/* Waits for what another thread brings about; see NUDGE_EVERY. */
#define UNTIL(pair, condition)                                                                     \
    do {                                                                                           \
        for (int i_ = 1; i_ < UNTIL_MS && !(condition); i_++) {                                    \
            fake_host_advance(host_of(pair), i_ % NUDGE_EVERY == 0 ? NUDGE_MS : 0);                \
            nap();                                                                                 \
        }                                                                                          \
        assert_true(condition);                                                                    \
    } while (0)

static bool is(struct fixture *fixture, enum gk_account_state state)
{
    return status_of(fixture).state == state;
}

static bool has_sequence(struct fixture *fixture, uint64_t sequence)
{
    return status_of(fixture).record_sequence == sequence;
}

static enum gk_status authorize(struct gk_account *account)
{
    return gk_account_authorize(account, GK_OP_BLOB_GET_BLOB, 0, NULL);
}

/* How there hears of a change: told, or at its next check. */
static void let_know(struct pair *pair, bool told, const char *name)
{
    if (told) {
        gk_reread_changed(pair->there.instance, name);
    } else {
        fake_host_advance(host_of(pair), INTERVAL_MS);
    }
}

/* --- changes of settings ---------------------------------------------------------------------- */

static void check_changes(struct pair *pair, bool told)
{
    create_in_both(pair, GK_KEY_SOURCE_SERVICE);
    assert_state(&pair->there, GK_ACCOUNT_SERVICE_MANAGED);
    /* From the service key to a customer's, who takes it away: there must not open it with ours. */
    set_here(pair, GK_KEY_SOURCE_CUSTOMER, FAKE_KEY_NAME);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    let_know(pair, told, NAME);
    UNTIL(pair, is(&pair->there, GK_ACCOUNT_REVOKED));
    assert_int_equal(authorize_read(&pair->there), GK_E_DENIED);
    set_unwrap(GK_VAULT_OK);
    assert_int_equal(check_now(&pair->here), GK_OK);
    fake_host_advance(host_of(pair), INTERVAL_MS);
    UNTIL(pair, is(&pair->there, GK_ACCOUNT_ACTIVE));
    /* To another key of the customer's. */
    set_here(pair, GK_KEY_SOURCE_CUSTOMER, OTHER_KEY);
    let_know(pair, told, NULL);
    UNTIL(pair, has_sequence(&pair->there, 3));
    assert_state(&pair->there, GK_ACCOUNT_ACTIVE);
    assert_non_null(strstr(status_of(&pair->there).current_key_id, "/" OTHER_KEY "/"));
    /* And back: what the vault says is of no interest any more. */
    set_here(pair, GK_KEY_SOURCE_SERVICE, "");
    set_unwrap(GK_VAULT_KEY_REFUSED);
    let_know(pair, told, NAME);
    UNTIL(pair, is(&pair->there, GK_ACCOUNT_SERVICE_MANAGED));
    assert_int_equal(authorize_read(&pair->there), GK_OK);
    assert_int_equal(fake_host_events(host_of(pair), "record.rollback", NULL), 0);
}

static void test_gateways__a_change_is_obeyed_when_told(void **state)
{
    check_changes(*state, true);
}

static void test_gateways__a_change_is_obeyed_at_the_next_check_untold(void **state)
{
    check_changes(*state, false);
}

/* An interval later the ticker would have asked anyway. */
static void test_gateways__the_vault_is_asked_at_once(void **state)
{
    struct pair *pair = *state;
    create_in_both(pair, GK_KEY_SOURCE_CUSTOMER);
    set_here(pair, GK_KEY_SOURCE_CUSTOMER, OTHER_KEY);
    const unsigned unwraps = vault_now().unwraps;
    gk_reread_changed(pair->there.instance, NAME);
    UNTIL(pair, vault_now().unwraps >= unwraps + 1);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    set_here(pair, GK_KEY_SOURCE_CUSTOMER, OTHER_KEY); /* the same: no record, nothing to obey */
    gk_reread_changed(pair->there.instance, NAME);
    assert_int_equal(status_of(&pair->there).record_sequence, 2);
}

static void test_gateways__an_account_that_is_not_in_use_asks_no_vault(void **state)
{
    struct pair *pair = *state;
    create_customer(&pair->here);
    assert_state(&pair->there, GK_ACCOUNT_COLD);
    set_here(pair, GK_KEY_SOURCE_CUSTOMER, OTHER_KEY);
    const unsigned unwraps = vault_now().unwraps;
    gk_reread_changed(pair->there.instance, NAME);
    UNTIL(pair, has_sequence(&pair->there, 2));
    assert_state(&pair->there, GK_ACCOUNT_COLD);
    assert_int_equal(vault_now().unwraps, unwraps);
    warm(&pair->there);
}

static void test_gateways__accounts_that_memory_does_not_hold_are_not_read(void **state)
{
    struct pair *pair = *state;
    create_customer(&pair->here);
    const unsigned reads = fake_host_reads(host_of(pair));
    gk_reread_changed(pair->there.instance, NAME);
    gk_reread_changed(pair->there.instance, "nobody");
    gk_reread_changed(pair->there.instance, NULL);
    gk_instance_stop(pair->there.instance); /* what had been queued has run */
    assert_int_equal(fake_host_reads(host_of(pair)), reads);
    gk_reread_changed(pair->there.instance, NULL);
}

/* A record of a gateway's own is heard of by itself too, and that may be before it has put the key in
 * its place: what is under way with the old handle must not notice. */
static void hear_of_it(void *ctx)
{
    struct pair *pair = ctx;
    const unsigned reads = fake_host_reads(host_of(pair));
    gk_reread_changed(pair->here.instance, NAME);
    UNTIL(pair, fake_host_reads(host_of(pair)) >= reads + 1);
    /* The reader has it, and does with it what it does before it takes the next. */
    gk_reread_changed(pair->here.instance, NAME);
    UNTIL(pair, fake_host_reads(host_of(pair)) >= reads + 2);
}

static void test_gateways__ones_own_change_disturbs_nobody(void **state)
{
    struct pair *pair = *state;
    create_service_managed(pair);
    struct gk_account *account = open_account(&pair->here);
    struct gk_data_key *data_key = NULL;
    struct gk_segment *segment = NULL;
    struct gk_id id;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_OK);
    static const char *const names[] = {FAKE_KEY_NAME, OTHER_KEY, ""};
    for (size_t i = 0; i < 3; i++) {
        pthread_mutex_lock(&pair->here.host.mutex);
        pair->here.host.on_written = hear_of_it;
        pair->here.host.hook_ctx = pair;
        pthread_mutex_unlock(&pair->here.host.mutex);
        set_here(pair, i == 2 ? GK_KEY_SOURCE_SERVICE : GK_KEY_SOURCE_CUSTOMER, names[i]);
        assert_state(&pair->here, i == 2 ? GK_ACCOUNT_SERVICE_MANAGED : GK_ACCOUNT_ACTIVE);
        assert_int_equal(status_of(&pair->here).record_sequence, i + 2);
        assert_int_equal(gk_segment_new(data_key, &id, &segment, NULL), GK_OK);
        gk_segment_free(segment);
    }
    gk_data_key_free(data_key);
    gk_account_release(account);
}

static void test_gateways__anothers_change_disturbs_nobody(void **state)
{
    struct pair *pair = *state;
    create_in_both(pair, GK_KEY_SOURCE_SERVICE);
    struct gk_account *account = open_account(&pair->there);
    struct gk_data_key *data_key = NULL;
    struct gk_segment *segment = NULL;
    struct gk_id id;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_OK);
    static const char *const names[] = {FAKE_KEY_NAME, OTHER_KEY, ""};
    for (size_t i = 0; i < 3; i++) {
        set_here(pair, i == 2 ? GK_KEY_SOURCE_SERVICE : GK_KEY_SOURCE_CUSTOMER, names[i]);
        const unsigned unwraps = vault_now().unwraps;
        gk_reread_changed(pair->there.instance, NAME);
        UNTIL(pair, has_sequence(&pair->there, i + 2));
        UNTIL(pair, i == 2 || vault_now().unwraps > unwraps);
        assert_int_equal(gk_segment_new(data_key, &id, &segment, NULL), GK_OK);
        gk_segment_free(segment);
    }
    gk_data_key_free(data_key);
    gk_account_release(account);
}

/* --- accounts that are gone ------------------------------------------------------------------- */

static void check_gone(struct pair *pair, enum gk_key_source source, bool told, bool anew)
{
    create_in_both(pair, source);
    struct gk_account *old = open_account(&pair->there);
    gk_account_forget(pair->here.instance, NAME);
    fake_host_delete(host_of(pair), NAME);
    if (anew) {
        create_service_managed(pair);
    }
    let_know(pair, told, NAME);
    UNTIL(pair, authorize(old) == GK_E_NOT_FOUND);
    struct gk_account *next = NULL;
    assert_int_equal(gk_account_open(pair->there.instance, NAME, &next, NULL),
                     anew ? GK_OK : GK_E_NOT_FOUND);
    if (anew) {
        assert_false(gk_id_equal(&next->id, &old->id));
        assert_int_equal(authorize(next), GK_OK);
        gk_account_forget(pair->here.instance, NAME);
        fake_host_delete(host_of(pair), NAME);
        gk_account_forget(pair->there.instance, NAME);
    }
    gk_account_release(next);
    gk_account_release(old);
}

static void test_gateways__a_deleted_account_is_gone_everywhere(void **state)
{
    for (unsigned i = 0; i < 8; i++) {
        check_gone(*state, (i & 1u) != 0 ? GK_KEY_SOURCE_SERVICE : GK_KEY_SOURCE_CUSTOMER,
                   (i & 2u) != 0, (i & 4u) != 0);
    }
}

/* --- new root keys ---------------------------------------------------------------------------- */

static void seal_here(struct pair *pair, uint8_t sealed[GK_SEALED_DATA_KEY_BYTES])
{
    struct gk_account *account = open_account(&pair->here);
    struct gk_data_key *data_key = NULL;
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_OK);
    gk_data_key_free(data_key);
    gk_account_release(account);
}

static enum gk_status open_there(struct pair *pair, struct gk_account *account,
                                 const uint8_t sealed[GK_SEALED_DATA_KEY_BYTES])
{
    struct gk_data_key *data_key = NULL;
    pair->there.error = (struct gk_error){0};
    const enum gk_status status =
        gk_data_key_open(account, &scope, gk_span_of(sealed, GK_SEALED_DATA_KEY_BYTES), &data_key,
                         &pair->there.error);
    gk_data_key_free(data_key);
    return status;
}

static void new_root_key_here(struct pair *pair)
{
    assert_int_equal(gk_account_new_root_key(pair->here.instance, NAME, &by_tester, NULL), GK_OK);
}

/* there has heard nothing of it when it is asked for what was written under it. */
static void check_new_root_key(struct pair *pair, enum gk_key_source source)
{
    uint8_t sealed[3][GK_SEALED_DATA_KEY_BYTES];
    struct gk_data_key *data_key = NULL;
    struct gk_segment *segment = NULL;
    struct gk_id id;
    create_in_both(pair, source);
    struct gk_account *account = open_account(&pair->there);
    assert_int_equal(gk_data_key_create(account, &scope, sealed[0], &data_key, NULL), GK_OK);
    new_root_key_here(pair);
    seal_here(pair, sealed[1]);
    assert_int_equal(open_there(pair, account, sealed[1]), GK_OK);
    assert_int_equal(status_of(&pair->there).generation, 2);
    /* Two at a time, and what is under way there does not notice. */
    new_root_key_here(pair);
    new_root_key_here(pair);
    seal_here(pair, sealed[2]);
    for (size_t i = 3; i-- > 0;) {
        assert_int_equal(open_there(pair, account, sealed[i]), GK_OK);
    }
    assert_int_equal(gk_segment_new(data_key, &id, &segment, NULL), GK_OK);
    gk_segment_free(segment);
    gk_data_key_free(data_key);
    gk_account_release(account);
}

static void test_gateways__what_is_under_a_new_root_key_opens_untold_customer(void **state)
{
    check_new_root_key(*state, GK_KEY_SOURCE_CUSTOMER);
}

static void test_gateways__what_is_under_a_new_root_key_opens_untold_service(void **state)
{
    check_new_root_key(*state, GK_KEY_SOURCE_SERVICE);
}

/* Told of it while the vault is silent, there goes on with the root key that it has; what is under the new
 * one it opens as soon as the vault answers. */
static void test_gateways__a_new_root_key_waits_for_the_vault(void **state)
{
    struct pair *pair = *state;
    uint8_t old[GK_SEALED_DATA_KEY_BYTES];
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    create_in_both(pair, GK_KEY_SOURCE_CUSTOMER);
    seal_here(pair, old);
    new_root_key_here(pair);
    seal_here(pair, sealed);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    struct gk_account *account = open_account(&pair->there);
    assert_int_equal(open_there(pair, account, sealed), GK_E_UNAVAILABLE);
    assert_int_equal(pair->there.error.http_status, 503);
    assert_int_equal(open_there(pair, account, old), GK_OK);
    set_unwrap(GK_VAULT_OK);
    assert_int_equal(open_there(pair, account, sealed), GK_OK);
    assert_int_equal(open_there(pair, account, old), GK_OK);
    gk_account_release(account);
}

/* there made a data key and stands still, while here gives the account a new root key and retires the one
 * before: it is sealed anew, under a root key that there learns of by that. */
static void test_gateways__a_data_key_of_before_is_sealed_anew(void **state)
{
    struct pair *pair = *state;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    struct gk_data_key *data_key = NULL;
    const struct gk_span none = {0};
    create_in_both(pair, GK_KEY_SOURCE_SERVICE);
    struct gk_account *account = open_account(&pair->there);
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_OK);
    new_root_key_here(pair);
    assert_int_equal(retire_below(&pair->here, 2), 1);
    assert_int_equal(gk_data_key_renew(data_key, &scope, none, 2, sealed, NULL), GK_OK);
    assert_int_equal(open_there(pair, account, sealed), GK_OK);
    gk_data_key_free(data_key);
    gk_account_release(account);
}

/* It is told, and its next check brings the new root key: what it seals from then on is under that. */
static void test_gateways__a_new_root_key_is_taken_when_told(void **state)
{
    struct pair *pair = *state;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    uint32_t generation = 1;
    create_in_both(pair, GK_KEY_SOURCE_CUSTOMER);
    struct gk_account *account = open_account(&pair->there);
    new_root_key_here(pair);
    gk_reread_changed(pair->there.instance, NAME);
    for (int i = 0; i < UNTIL_MS && generation == 1; i++) {
        struct gk_data_key *data_key = NULL;
        assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_OK);
        gk_data_key_free(data_key);
        assert_int_equal(
            gk_data_key_generation(gk_span_of(sealed, sizeof sealed), &generation, NULL), GK_OK);
        nap();
    }
    assert_int_equal(generation, 2);
    assert_int_equal(fake_host_events(host_of(pair), "key.revoked", NULL), 0);
    gk_account_release(account);
}

/* --- a store that does not answer ------------------------------------------------------------- */

static void test_gateways__what_is_known_stands_while_the_store_is_silent(void **state)
{
    struct pair *pair = *state;
    create_in_both(pair, GK_KEY_SOURCE_CUSTOMER);
    struct gk_account *account = open_account(&pair->there);
    set_here(pair, GK_KEY_SOURCE_SERVICE, "");
    fake_host_set_silent(host_of(pair), true);
    const unsigned warnings = fake_host_warnings(host_of(pair));
    for (unsigned i = 0; i < 5; i++) {
        const unsigned reads = fake_host_reads(host_of(pair));
        const unsigned unwraps = vault_now().unwraps;
        fake_host_advance(host_of(pair), INTERVAL_MS);
        UNTIL(pair, fake_host_reads(host_of(pair)) >= reads + 2); /* here's and there's */
        UNTIL(pair, vault_now().unwraps >= unwraps + 1); /* the vault is asked all the same */
        assert_int_equal(authorize(account), GK_OK);
    }
    assert_state(&pair->there, GK_ACCOUNT_ACTIVE);
    assert_int_equal(status_of(&pair->there).record_sequence, 1);
    /* One line of each, however long it lasts. */
    assert_true(fake_host_warnings(host_of(pair)) <= warnings + 2);
    /* A refusal needs no store. */
    set_unwrap(GK_VAULT_KEY_REFUSED);
    fake_host_advance(host_of(pair), INTERVAL_MS);
    UNTIL(pair, is(&pair->there, GK_ACCOUNT_REVOKED));
    fake_host_set_silent(host_of(pair), false);
    fake_host_advance(host_of(pair), INTERVAL_MS);
    UNTIL(pair, is(&pair->there, GK_ACCOUNT_SERVICE_MANAGED));
    gk_account_release(account);
}

/* --- one of them does it ---------------------------------------------------------------------- */

static bool has_version(struct fixture *fixture, unsigned version)
{
    char key_id[GK_KEY_ID_BYTES_MAX];
    fake_key_id(version, key_id);
    return strcmp(status_of(fixture).current_key_id, key_id) == 0;
}

static void test_gateways__two_that_are_due_at_once_wrap_once(void **state)
{
    struct pair *pair = *state;
    create_in_both(pair, GK_KEY_SOURCE_CUSTOMER);
    for (unsigned version = 2; version <= 6; version++) {
        const struct fake_vault before = vault_now();
        rotate_vault();
        fake_host_advance(host_of(pair), DAY_MS);
        UNTIL(pair, has_version(&pair->here, version));
        UNTIL(pair, has_version(&pair->there, version));
        assert_int_equal(vault_now().wraps, before.wraps + 1);
        assert_int_equal(vault_now().gets, before.gets + 1);
        assert_int_equal(authorize_read(&pair->here), GK_OK);
        assert_int_equal(authorize_read(&pair->there), GK_OK);
    }
    assert_int_equal(fake_host_events(host_of(pair), "key.rotate", "ok"), 5);
}

static void *check_thread(void *ctx)
{
    static int failed;
    return check_now(ctx) == GK_OK ? NULL : &failed;
}

static void test_gateways__many_who_check_now_on_both_wrap_once(void **state)
{
    struct pair *pair = *state;
    create_in_both(pair, GK_KEY_SOURCE_CUSTOMER);
    rotate_vault();
    pthread_t threads[8];
    struct fixture each[8];
    for (size_t i = 0; i < 8; i++) {
        each[i].instance = i % 2 == 0 ? pair->here.instance : pair->there.instance;
        assert_int_equal(pthread_create(&threads[i], NULL, check_thread, &each[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_true(has_version(&pair->here, 2));
    assert_true(has_version(&pair->there, 2));
    assert_int_equal(vault_now().wraps, 2);
}

/* A look that finds nothing is noted beside the record; who reads it need not look. */
static void test_gateways__a_look_that_found_nothing_counts_for_all(void **state)
{
    struct pair *pair = *state;
    create_in_both(pair, GK_KEY_SOURCE_CUSTOMER);
    fake_host_advance(host_of(pair), DAY_MS / 2);
    assert_int_equal(check_now(&pair->here), GK_OK);
    const int64_t looked_ms = status_of(&pair->here).last_version_check_wall_ms;
    const unsigned gets = vault_now().gets;
    gk_reread_changed(pair->there.instance, NAME);
    for (int i = 0; i < UNTIL_MS && status_of(&pair->there).last_version_check_wall_ms != looked_ms;
         i++) {
        nap();
    }
    assert_int_equal(status_of(&pair->there).last_version_check_wall_ms, looked_ms);
    const unsigned reads = fake_host_reads(host_of(pair));
    fake_host_advance(host_of(pair), DAY_MS / 2);
    UNTIL(pair, fake_host_reads(host_of(pair)) >= reads + 2);
    assert_int_equal(vault_now().gets, gets);
}

/* --- holders that are slow, or dead ----------------------------------------------------------- */

static int64_t put_off_until(struct fixture *fixture)
{
    const struct gk_encryption_settings settings = customer_settings();
    return gk_key_news_put_off_until(fixture->instance->news, &settings);
}

/* What refused to wrap, and has wrapped for another since, refuses no more. */
static void test_gateways__a_refusal_to_wrap_ends_for_all(void **state)
{
    struct pair *pair = *state;
    create_in_both(pair, GK_KEY_SOURCE_CUSTOMER);
    rotate_vault();
    fake_vault_lock()->wrap_verdict = GK_VAULT_KEY_REFUSED;
    fake_vault_unlock();
    assert_int_not_equal(check_now(&pair->here), GK_OK);
    assert_true(put_off_until(&pair->here) > gk_instance_now(pair->here.instance).mono_ms);
    fake_vault_lock()->wrap_verdict = GK_VAULT_OK;
    fake_vault_unlock();
    assert_int_equal(check_now(&pair->there), GK_OK);
    assert_int_equal(check_now(&pair->here), GK_OK);
    assert_true(put_off_until(&pair->here) == INT64_MIN);
}

static void test_gateways__whoever_finds_the_lease_taken_leaves_the_vault_alone(void **state)
{
    struct pair *pair = *state;
    create_in_both(pair, GK_KEY_SOURCE_CUSTOMER);
    rotate_vault();
    const struct fake_vault before = vault_now();
    const unsigned warnings = fake_host_warnings(host_of(pair));
    fake_host_hold_lease(host_of(pair), NAME, 2 * (int64_t)DAY_MS); /* and dies */
    const unsigned leases = fake_host_leases(host_of(pair));
    fake_host_advance(host_of(pair), DAY_MS);
    for (unsigned i = 0; i < 20; i++) {
        fake_host_advance(host_of(pair), INTERVAL_MS);
        nap();
    }
    assert_int_equal(fake_host_leases(host_of(pair)), leases);
    assert_int_equal(vault_now().gets, before.gets);
    assert_int_equal(vault_now().wraps, before.wraps);
    assert_int_equal(fake_host_warnings(host_of(pair)), warnings);
    assert_int_equal(authorize_read(&pair->there), GK_OK);
    /* Its time is over. */
    fake_host_advance(host_of(pair), DAY_MS);
    UNTIL(pair, has_version(&pair->here, 2));
    UNTIL(pair, has_version(&pair->there, 2));
    assert_int_equal(vault_now().wraps, before.wraps + 1);
}

/* It had written the record, and died before it gave the lease back. */
static void test_gateways__a_holder_that_died_late_has_done_it(void **state)
{
    struct pair *pair = *state;
    create_in_both(pair, GK_KEY_SOURCE_CUSTOMER);
    rotate_vault();
    assert_int_equal(check_now(&pair->here), GK_OK);
    const unsigned wraps = vault_now().wraps;
    fake_host_hold_lease(host_of(pair), NAME, DAY_MS);
    fake_host_advance(host_of(pair), INTERVAL_MS);
    UNTIL(pair, has_version(&pair->there, 2));
    assert_int_equal(vault_now().wraps, wraps);
}

static void *advance_thread(void *ctx)
{
    struct pair *pair = ctx;
    for (unsigned i = 0; i < 100; i++) {
        nap();
    }
    fake_host_advance(host_of(pair), DAY_MS / 2);
    return NULL;
}

/* Who is asked to look now does not come back with half an answer. */
static void test_gateways__check_now_waits_for_the_lease(void **state)
{
    struct pair *pair = *state;
    create_in_both(pair, GK_KEY_SOURCE_CUSTOMER);
    rotate_vault();
    fake_host_hold_lease(host_of(pair), NAME, DAY_MS / 2);
    pair->here.error = (struct gk_error){0};
    assert_int_equal(gk_account_check_now(pair->here.instance, NAME,
                                          &(const struct gk_call){.deadline_ms = 300},
                                          &pair->here.error),
                     GK_E_UNAVAILABLE);
    assert_int_equal(pair->here.error.http_status, 503);
    assert_true(has_version(&pair->here, 1));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, advance_thread, pair), 0);
    assert_int_equal(check_now(&pair->here), GK_OK);
    pthread_join(thread, NULL);
    assert_true(has_version(&pair->here, 2));
    /* And gives it back: the next does not wait for its time. */
    assert_int_equal(gk_account_check_now(pair->there.instance, NAME, &by_tester, NULL), GK_OK);
}

/* An older wrap goes in time, also under the lease. */
static void test_gateways__an_old_wrap_is_dropped_by_one(void **state)
{
    struct pair *pair = *state;
    create_in_both(pair, GK_KEY_SOURCE_CUSTOMER);
    rotate_vault();
    assert_int_equal(check_now(&pair->here), GK_OK);
    gk_reread_changed(pair->there.instance, NAME);
    UNTIL(pair, has_sequence(&pair->there, 2));
    fake_host_advance(host_of(pair), DAY_MS);
    UNTIL(pair, has_sequence(&pair->here, 3));
    UNTIL(pair, has_sequence(&pair->there, 3));
    assert_string_equal(status_of(&pair->there).previous_key_id, "");
    assert_false(fake_host_has(host_of(pair), NAME, GK_ACCOUNT_ATTR_PREVIOUS));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, pair_setup, pair_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_gateways__a_change_is_obeyed_when_told),
        TEST(test_gateways__a_change_is_obeyed_at_the_next_check_untold),
        TEST(test_gateways__the_vault_is_asked_at_once),
        TEST(test_gateways__an_account_that_is_not_in_use_asks_no_vault),
        TEST(test_gateways__accounts_that_memory_does_not_hold_are_not_read),
        TEST(test_gateways__ones_own_change_disturbs_nobody),
        TEST(test_gateways__anothers_change_disturbs_nobody),
        TEST(test_gateways__a_deleted_account_is_gone_everywhere),
        TEST(test_gateways__what_is_under_a_new_root_key_opens_untold_customer),
        TEST(test_gateways__what_is_under_a_new_root_key_opens_untold_service),
        TEST(test_gateways__a_new_root_key_waits_for_the_vault),
        TEST(test_gateways__a_new_root_key_is_taken_when_told),
        TEST(test_gateways__a_data_key_of_before_is_sealed_anew),
        TEST(test_gateways__what_is_known_stands_while_the_store_is_silent),
        TEST(test_gateways__two_that_are_due_at_once_wrap_once),
        TEST(test_gateways__many_who_check_now_on_both_wrap_once),
        TEST(test_gateways__a_look_that_found_nothing_counts_for_all),
        TEST(test_gateways__a_refusal_to_wrap_ends_for_all),
        TEST(test_gateways__whoever_finds_the_lease_taken_leaves_the_vault_alone),
        TEST(test_gateways__a_holder_that_died_late_has_done_it),
        TEST(test_gateways__check_now_waits_for_the_lease),
        TEST(test_gateways__an_old_wrap_is_dropped_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
