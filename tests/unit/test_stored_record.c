/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is stored of an account opens it no longer than its owner agreed to, and an older record
 * that somebody puts back is not built on. Method: be the one who reads and writes the store, and the
 * vault that answers something else than was asked. */
#include <stdatomic.h>

#include "common/text.h"
#include "plugin/recheck.h"

#include "unit/instance_fixture.h"

#define OTHER_KEY "other"

static const struct gk_object_scope scope = {.container.bytes = {1}, .object.bytes = {2}};

/* A value of an attribute, to put it back later. */
struct saved {
    uint8_t bytes[FAKE_VALUE_MAX];
    size_t len;
};

static void save(struct fixture *fixture, struct saved *saved)
{
    saved->len =
        fake_host_read(&fixture->host, NAME, GK_ACCOUNT_ATTR, saved->bytes, sizeof saved->bytes);
}

static void put_back(struct fixture *fixture, const struct saved *saved)
{
    fake_host_write(&fixture->host, NAME, GK_ACCOUNT_ATTR, saved->bytes, saved->len);
}

static bool is_stored(struct fixture *fixture, const struct saved *saved)
{
    static struct saved now;
    save(fixture, &now);
    return now.len == saved->len && memcmp(now.bytes, saved->bytes, now.len) == 0;
}

static bool has_previous(struct fixture *fixture)
{
    return fake_host_has(&fixture->host, NAME, GK_ACCOUNT_ATTR_PREVIOUS);
}

/* Whether anything stored names that version of the key, and so holds a wrap by it. */
static bool holds_version(struct fixture *fixture, unsigned version)
{
    char key_id[GK_KEY_ID_BYTES_MAX];
    fake_key_id(version, key_id);
    return fake_host_holds(&fixture->host, NAME, key_id);
}

static enum gk_status set(struct fixture *fixture, const struct gk_encryption_settings *settings)
{
    fixture->error = (struct gk_error){0};
    return gk_account_set_encryption(fixture->instance, NAME, settings, &by_tester,
                                     &fixture->error);
}

static void create_service_managed(struct fixture *fixture)
{
    const struct gk_encryption_settings settings = {.source = GK_KEY_SOURCE_SERVICE};
    assert_int_equal(create_account(fixture, &settings), GK_OK);
}

static enum gk_status warm(struct fixture *fixture)
{
    struct gk_account *account = open_account(fixture);
    const enum gk_status status = gk_account_warm(account, DEADLINE_MS, &fixture->error);
    gk_account_release(account);
    return status;
}

static enum gk_status try_open(struct fixture *fixture)
{
    struct gk_account *account = NULL;
    fixture->error = (struct gk_error){0};
    const enum gk_status status =
        gk_account_open(fixture->instance, NAME, &account, &fixture->error);
    gk_account_release(account);
    return status;
}

static void nap(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL);
}

static void until_held(struct fixture *fixture, unsigned version, bool held)
{
    for (int i = 0; i < UNTIL_MS && holds_version(fixture, version) != held; i++) {
        nap();
    }
    assert_int_equal(holds_version(fixture, version), held);
}

/* --- wraps that must be gone ------------------------------------------------------------------ */

static void test_stored_record__no_service_wrap_outlives_the_change_to_a_customers_key(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_encryption_settings settings = customer_settings();
    create_service_managed(fixture);
    assert_true(fake_host_holds(&fixture->host, NAME, GK_WRAP_SERVICE_KEY_ID_PREFIX));
    assert_int_equal(set(fixture, &settings), GK_OK);
    assert_false(has_previous(fixture));
    assert_false(fake_host_holds(&fixture->host, NAME, GK_WRAP_SERVICE_KEY_ID_PREFIX));
    assert_false(fake_host_holds(&fixture->host, NAME, GK_WRAP_ALGORITHM_SERVICE));
}

static void test_stored_record__no_wrap_outlives_the_change_to_another_key(void **state)
{
    struct fixture *fixture = *state;
    struct gk_encryption_settings settings = customer_settings();
    create_customer(fixture);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_true(has_previous(fixture));
    snprintf(settings.key.name, sizeof settings.key.name, OTHER_KEY);
    assert_int_equal(set(fixture, &settings), GK_OK);
    assert_false(has_previous(fixture));
    assert_false(fake_host_holds(&fixture->host, NAME, "/keys/" FAKE_KEY_NAME "/"));
    /* The same key's name in another vault is another key. */
    snprintf(settings.key.vault_uri, sizeof settings.key.vault_uri, FAKE_OTHER_URI);
    assert_int_equal(set(fixture, &settings), GK_OK);
    assert_false(has_previous(fixture));
    assert_false(fake_host_holds(&fixture->host, NAME, FAKE_VAULT_URI));
    settings.source = GK_KEY_SOURCE_SERVICE;
    assert_int_equal(set(fixture, &settings), GK_OK);
    assert_false(has_previous(fixture));
    assert_int_equal(authorize_read(fixture), GK_OK);
}

static void test_stored_record__an_older_versions_wrap_goes_from_both_in_time(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_true(has_previous(fixture));
    fake_host_advance(&fixture->host, DAY_MS);
    until_held(fixture, 1, false);
    assert_false(has_previous(fixture));
    assert_true(holds_version(fixture, 2));
}

/* A second rotation while the first settles drops the oldest version's wrap from the record; the
 * record before must not keep it for longer. */
static void test_stored_record__two_rotations_leave_two_versions(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    for (unsigned i = 0; i < 2; i++) {
        rotate_vault();
        assert_int_equal(check_now(fixture), GK_OK);
    }
    assert_false(holds_version(fixture, 1));
    assert_true(holds_version(fixture, 2));
    assert_true(holds_version(fixture, 3));
    fake_host_advance(&fixture->host, DAY_MS);
    until_held(fixture, 2, false);
    assert_false(has_previous(fixture));
}

static void test_stored_record__nothing_is_kept_when_nothing_is_to_be_kept(void **state)
{
    struct fixture *fixture = *state;
    gk_instance_destroy(fixture->instance);
    fixture_start_keeping(fixture, "0");
    create_customer(fixture);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_false(holds_version(fixture, 1));
    assert_false(has_previous(fixture));
}

/* Whatever the vault says: dropping a wrap takes no vault. */
static void
test_stored_record__an_older_versions_wrap_goes_also_from_a_revoked_account(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_REVOKED);
    const unsigned gets = vault_now().gets;
    fake_host_advance(&fixture->host, DAY_MS);
    until_held(fixture, 1, false);
    assert_false(has_previous(fixture));
    assert_int_equal(vault_now().gets, gets);
    set_unwrap(GK_VAULT_OK);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_ACTIVE);
}

/* Of a build that kept every record before, or of somebody who writes the store. */
static void test_stored_record__a_record_before_that_must_not_be_there_is_removed(void **state)
{
    struct fixture *fixture = *state;
    static struct saved old;
    const struct gk_encryption_settings settings = customer_settings();
    create_service_managed(fixture);
    save(fixture, &old);
    assert_int_equal(set(fixture, &settings), GK_OK);
    fake_host_write(&fixture->host, NAME, GK_ACCOUNT_ATTR_PREVIOUS, old.bytes, old.len);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_false(has_previous(fixture));
}

/* Between the end of its time and the moment at which somebody removes it. */
static void test_stored_record__a_wrap_is_not_used_beyond_its_time(void **state)
{
    struct fixture *fixture = *state;
    struct gk_encryption_settings settings = customer_settings();
    create_customer(fixture);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    gk_instance_destroy(fixture->instance);
    disable_version(2, true);
    fake_host_advance(&fixture->host, DAY_MS);
    fixture_start(fixture);
    const unsigned unwraps = vault_now().unwraps;
    settings.source = GK_KEY_SOURCE_SERVICE;
    assert_int_equal(set(fixture, &settings), GK_E_DENIED);
    assert_int_equal(warm(fixture), GK_E_DENIED);
    assert_int_equal(vault_now().unwraps, unwraps + 2);
}

/* --- records that are put back ---------------------------------------------------------------- */

static void expect_rollback(struct fixture *fixture, enum gk_status status, unsigned events)
{
    assert_int_equal(status, GK_E_INTEGRITY);
    assert_int_equal(fixture->error.status, GK_E_INTEGRITY);
    assert_int_equal(fake_host_events(&fixture->host, "record.rollback", "refused"), events);
    assert_true(fake_host_errors(&fixture->host) >= events);
}

static void test_stored_record__rotation_does_not_build_on_an_older_one(void **state)
{
    struct fixture *fixture = *state;
    static struct saved first;
    static struct saved second;
    create_customer(fixture);
    save(fixture, &first);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    save(fixture, &second);
    rotate_vault();
    put_back(fixture, &first);
    const unsigned writes = fake_host_writes(&fixture->host);
    expect_rollback(fixture, check_now(fixture), 1);
    assert_true(is_stored(fixture, &first));
    assert_int_equal(fake_host_writes(&fixture->host), writes);
    assert_int_equal(status_of(fixture).record_sequence, 2);
    assert_int_equal(authorize_read(fixture), GK_OK);
    /* One finding, one event, however often it is found. */
    expect_rollback(fixture, check_now(fixture), 1);
    put_back(fixture, &second);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(status_of(fixture).record_sequence, 3);
    put_back(fixture, &first);
    expect_rollback(fixture, check_now(fixture), 2);
}

static void test_stored_record__a_change_does_not_build_on_an_older_one(void **state)
{
    struct fixture *fixture = *state;
    static struct saved old;
    struct gk_encryption_settings settings = customer_settings();
    create_service_managed(fixture);
    save(fixture, &old);
    assert_int_equal(set(fixture, &settings), GK_OK);
    /* The customer takes the key away; the old record would be opened without asking. */
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(check_now(fixture), GK_OK);
    put_back(fixture, &old);
    snprintf(settings.key.name, sizeof settings.key.name, OTHER_KEY);
    expect_rollback(fixture, set(fixture, &settings), 1);
    settings.source = GK_KEY_SOURCE_SERVICE;
    expect_rollback(fixture, set(fixture, &settings), 1);
    assert_true(is_stored(fixture, &old));
    assert_int_equal(authorize_read(fixture), GK_E_DENIED);
}

static void test_stored_record__a_refusal_does_not_take_an_older_one(void **state)
{
    struct fixture *fixture = *state;
    static struct saved old;
    const struct gk_encryption_settings settings = customer_settings();
    create_service_managed(fixture);
    save(fixture, &old);
    assert_int_equal(set(fixture, &settings), GK_OK);
    put_back(fixture, &old);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_REVOKED);
    assert_int_equal(fake_host_events(&fixture->host, "record.rollback", "refused"), 1);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(fake_host_events(&fixture->host, "record.rollback", "refused"), 1);
    assert_int_equal(authorize_read(fixture), GK_E_DENIED);
}

/* An authentic record of that number, of another history: a rollback was built on elsewhere. */
static void test_stored_record__another_record_of_the_same_number_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static struct saved first;
    static struct saved other;
    create_customer(fixture);
    save(fixture, &first);
    rotate_vault();
    struct gk_instance *ours = fixture->instance;
    fixture_start(fixture);
    struct gk_instance *theirs = fixture->instance;
    assert_int_equal(check_now(fixture), GK_OK);
    save(fixture, &other);
    put_back(fixture, &first);
    fake_host_advance(&fixture->host, 1);
    fixture->instance = ours;
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(status_of(fixture).record_sequence, 2);
    assert_false(is_stored(fixture, &other));
    put_back(fixture, &other);
    expect_rollback(fixture, check_now(fixture), 1);
    const struct gk_encryption_settings settings = {.source = GK_KEY_SOURCE_SERVICE};
    expect_rollback(fixture, set(fixture, &settings), 1);
    assert_true(is_stored(fixture, &other));
    gk_instance_destroy(theirs);
}

/* Else removing the record until a refusal finds it gone would make room for any older one. */
static void test_stored_record__an_older_one_is_not_taken_by_way_of_forgetting(void **state)
{
    struct fixture *fixture = *state;
    static struct saved old;
    static struct saved newest;
    const struct gk_encryption_settings settings = customer_settings();
    create_service_managed(fixture);
    save(fixture, &old);
    assert_int_equal(set(fixture, &settings), GK_OK);
    save(fixture, &newest);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    fake_host_remove(&fixture->host, NAME, GK_ACCOUNT_ATTR);
    assert_int_equal(check_now(fixture), GK_E_NOT_FOUND);
    assert_int_equal(try_open(fixture), GK_E_NOT_FOUND);
    put_back(fixture, &old);
    for (unsigned i = 0; i < 3; i++) {
        expect_rollback(fixture, try_open(fixture), 1);
    }
    put_back(fixture, &newest);
    assert_int_equal(warm(fixture), GK_E_DENIED);
    put_back(fixture, &old);
    gk_account_forget(fixture->instance, NAME);
    expect_rollback(fixture, try_open(fixture), 2);
    /* Another account of that name is not hindered. */
    fake_host_delete(&fixture->host, NAME);
    create_service_managed(fixture);
    assert_int_equal(authorize_read(fixture), GK_OK);
}

/* A forged record: only who has the service key can make one. Settings and wraps that do not agree
 * would let the service key open what only the customer's may. */
static void test_stored_record__a_service_wrap_does_not_stand_in_for_the_customers_key(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_instance *instance = fixture->instance;
    struct gk_encryption_settings settings = customer_settings();
    create_service_managed(fixture);
    struct gk_stored_account *stored = gk_stored_account_new();
    assert_non_null(stored);
    assert_int_equal(gk_account_store_read(instance, NAME, stored, NULL), GK_OK);
    stored->record.settings = settings;
    stored->record.sequence++;
    struct gk_buf bytes;
    gk_buf_init(&bytes, GK_ACCOUNT_RECORD_BYTES_MAX);
    assert_int_equal(gk_account_record_serialise(instance->crypto, &instance->keys->record,
                                                 &stored->record, &bytes, NULL),
                     GK_OK);
    fake_host_write(&fixture->host, NAME, GK_ACCOUNT_ATTR, bytes.data, bytes.len);
    snprintf(settings.key.name, sizeof settings.key.name, OTHER_KEY);
    assert_int_equal(set(fixture, &settings), GK_E_INTEGRITY);
    gk_account_forget(fixture->instance, NAME);
    assert_int_equal(try_open(fixture), GK_E_INTEGRITY);
    gk_buf_cleanup(&bytes);
    gk_stored_account_free(&stored);
}

/* What is known is the record alone: who changes what is stored, and leaves its MAC, is found out. */
static void
test_stored_record__the_known_one_is_not_read_but_what_is_stored_is_checked(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_instance *instance = fixture->instance;
    static struct saved saved;
    create_customer(fixture);
    struct gk_stored_account *stored = gk_stored_account_new();
    assert_non_null(stored);
    assert_int_equal(gk_account_store_read(instance, NAME, stored, NULL), GK_OK);
    const struct gk_account_record_mac known =
        gk_account_record_mac_of(gk_buf_span(&stored->bytes));
    const uint64_t sequence = stored->record.sequence;

    stored->record.sequence = 12345; /* by which to tell that it stays as it was */
    assert_int_equal(gk_account_store_read_again(instance, NAME, &known, stored, NULL), GK_OK);
    assert_int_equal(stored->record.sequence, 12345);
    const struct gk_account_record_mac other = {{0}};
    assert_int_equal(gk_account_store_read_again(instance, NAME, &other, stored, NULL), GK_OK);
    assert_int_equal(stored->record.sequence, sequence);

    save(fixture, &saved);
    saved.bytes[saved.len - 1] ^= 1;
    put_back(fixture, &saved);
    assert_int_equal(gk_account_store_read_again(instance, NAME, &known, stored, NULL),
                     GK_E_INTEGRITY);
    assert_int_equal(stored->record.sequence, 0);
    fake_host_delete(&fixture->host, NAME);
    stored->record.sequence = 12345;
    assert_int_equal(gk_account_store_read_again(instance, NAME, &known, stored, NULL),
                     GK_E_NOT_FOUND);
    assert_int_equal(stored->record.sequence, 0);
    gk_stored_account_free(&stored);
}

static void test_stored_record__the_time_of_a_check_is_no_number_to_trust(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {"9223372036854775807", "253402300800000", "-1", "1e3", ""};
    create_customer(fixture);
    const int64_t made_ms = status_of(fixture).last_version_check_wall_ms;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        gk_account_forget(fixture->instance, NAME);
        fake_host_write(&fixture->host, NAME, GK_ACCOUNT_ATTR_VERSION_CHECK,
                        (const uint8_t *)texts[i], strlen(texts[i]));
        const struct gk_account_status status = status_of(fixture);
        assert_int_equal(status.last_version_check_wall_ms, made_ms);
        assert_int_equal(status.next_version_check_wall_ms, made_ms + DAY_MS);
    }
}

/* --- accounts that are gone ------------------------------------------------------------------- */

static void test_stored_record__a_new_account_is_not_served_with_the_old_ones_key(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct gk_account *old = open_account(fixture);
    const struct gk_id old_id = status_of(fixture).id;
    fake_host_delete(&fixture->host, NAME); /* by another gateway; nobody has told us */
    create_service_managed(fixture);
    const struct gk_account_status status = status_of(fixture);
    assert_false(gk_id_equal(&status.id, &old_id));
    assert_int_equal(status.state, GK_ACCOUNT_SERVICE_MANAGED);
    assert_int_equal(gk_account_authorize(old, GK_OP_BLOB_GET_BLOB, 0, NULL), GK_E_NOT_FOUND);
    gk_account_release(old);
}

static void until_checks(struct gk_account *account, uint64_t checks)
{
    bool ended = false;
    for (int i = 0; i < UNTIL_MS && !ended; i++) {
        pthread_mutex_lock(&account->mutex);
        ended = account->checks >= checks;
        pthread_mutex_unlock(&account->mutex);
        nap();
    }
    assert_true(ended);
}

/* The check of an account that is gone ends late; it must not take the new one with it. */
static void test_stored_record__a_late_answer_does_not_forget_the_next_account(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct gk_account *old = open_account(fixture);
    fake_vault_lock()->hold = true;
    fake_vault_unlock();
    pthread_mutex_lock(&old->mutex);
    const uint64_t checks = old->checks;
    gk_recheck_locked_claim(old);
    pthread_mutex_unlock(&old->mutex);
    gk_recheck_run_claimed(old);
    gk_account_forget(fixture->instance, NAME);
    fake_host_delete(&fixture->host, NAME);
    create_service_managed(fixture);
    struct gk_account *fresh = open_account(fixture);
    struct fake_vault *vault = fake_vault_lock();
    vault->unwrap_verdict = GK_VAULT_KEY_REFUSED;
    vault->hold = false;
    fake_vault_unlock();
    until_checks(old, checks + 1);
    assert_int_equal(gk_account_authorize(fresh, GK_OP_BLOB_GET_BLOB, 0, NULL), GK_OK);
    gk_account_release(fresh);
    gk_account_release(old);
}

/* --- two at once ------------------------------------------------------------------------------ */

static void refuse_and_check(void *ctx)
{
    struct fixture *fixture = ctx;
    const struct gk_deadline deadline = gk_vault_deadline_in(DEADLINE_MS);
    struct gk_account *account = open_account(fixture);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(gk_recheck_now(account, &deadline, NULL), GK_OK);
    assert_int_equal(account->state.state, GK_ACCOUNT_REVOKED);
    gk_account_release(account);
}

/* The key is taken away, and that is noticed, while a rotation that proved it earlier writes. */
static void test_stored_record__a_proof_from_before_a_refusal_does_not_lift_it(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    rotate_vault();
    fake_host_hook(&fixture->host, NULL, refuse_and_check, fixture);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(status_of(fixture).record_sequence, 2);
    assert_int_equal(authorize_read(fixture), GK_E_DENIED);
    set_unwrap(GK_VAULT_OK);
    struct gk_encryption_settings settings = customer_settings();
    snprintf(settings.key.name, sizeof settings.key.name, OTHER_KEY);
    fake_host_hook(&fixture->host, NULL, refuse_and_check, fixture);
    assert_int_equal(set(fixture, &settings), GK_OK);
    assert_int_equal(authorize_read(fixture), GK_E_DENIED);
    set_unwrap(GK_VAULT_OK);
    fake_host_advance(&fixture->host, 1000);
    until_state(fixture, GK_ACCOUNT_ACTIVE);
}

struct crossing {
    struct fixture *fixture;
    struct gk_account *account;
    atomic_bool refused; /* a refresher looks for a newer record */
    atomic_bool adopted; /* and may go on */
};

static void await(atomic_bool *flag)
{
    for (int i = 0; i < UNTIL_MS && !atomic_load(flag); i++) {
        nap();
    }
}

static void look_late(void *ctx)
{
    struct crossing *crossing = ctx;
    atomic_store(&crossing->refused, true);
    await(&crossing->adopted);
}

static void check_meanwhile(void *ctx)
{
    struct crossing *crossing = ctx;
    set_unwrap(GK_VAULT_KEY_REFUSED);
    fake_host_hook(&crossing->fixture->host, look_late, NULL, crossing);
    pthread_mutex_lock(&crossing->account->mutex);
    gk_recheck_locked_claim(crossing->account);
    pthread_mutex_unlock(&crossing->account->mutex);
    gk_recheck_run_claimed(crossing->account);
    await(&crossing->refused);
}

/* A check that asked with the record before is refused, and ends after the new one was taken over:
 * its answer is about neither, so the question is asked again. Nor was the record put back that its
 * second look found: it was the newest then. */
static void test_stored_record__an_answer_to_an_older_record_is_asked_for_again(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct crossing crossing = {.fixture = fixture, .account = open_account(fixture)};
    rotate_vault();
    fake_host_hook(&fixture->host, NULL, check_meanwhile, &crossing);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(status_of(fixture).record_sequence, 2);
    atomic_store(&crossing.adopted, true);
    until_state(fixture, GK_ACCOUNT_REVOKED);
    assert_int_equal(authorize_read(fixture), GK_E_DENIED);
    assert_int_equal(fake_host_events(&fixture->host, "record.rollback", NULL), 0);
    gk_account_release(crossing.account);
}

static void change_and_forget(void *ctx)
{
    const struct gk_encryption_settings settings = {.source = GK_KEY_SOURCE_SERVICE};
    assert_int_equal(set(ctx, &settings), GK_OK);
    gk_account_forget(((struct fixture *)ctx)->instance, NAME);
}

static void test_stored_record__a_slow_reader_has_not_found_an_older_one(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    gk_account_forget(fixture->instance, NAME);
    fake_host_hook(&fixture->host, change_and_forget, NULL, fixture);
    assert_int_equal(try_open(fixture), GK_OK);
    assert_int_equal(status_of(fixture).record_sequence, 2);
    assert_int_equal(fake_host_events(&fixture->host, "record.rollback", NULL), 0);
}

struct crowd {
    struct fixture *fixture;
    atomic_bool end;
    atomic_uint odd; /* answers that may never be */
};

static void count_odd(struct crowd *crowd, enum gk_status status)
{
    if (status != GK_OK && status != GK_E_NOT_FOUND && status != GK_E_COLD &&
        status != GK_E_CONFLICT && status != GK_E_UNAVAILABLE) {
        atomic_fetch_add(&crowd->odd, 1);
    }
}

static void *change_thread(void *ctx)
{
    struct crowd *crowd = ctx;
    struct gk_encryption_settings settings = customer_settings();
    for (unsigned i = 0; !atomic_load(&crowd->end); i++) {
        settings.source = i % 3 == 0 ? GK_KEY_SOURCE_SERVICE : GK_KEY_SOURCE_CUSTOMER;
        snprintf(settings.key.name, sizeof settings.key.name, "%s",
                 i % 3 == 1 ? OTHER_KEY : FAKE_KEY_NAME);
        count_odd(crowd, gk_account_set_encryption(crowd->fixture->instance, NAME, &settings,
                                                   &by_tester, NULL));
    }
    return NULL;
}

static void *check_thread(void *ctx)
{
    struct crowd *crowd = ctx;
    while (!atomic_load(&crowd->end)) {
        count_odd(crowd, gk_account_check_now(crowd->fixture->instance, NAME, &by_tester, NULL));
    }
    return NULL;
}

static void *use_thread(void *ctx)
{
    struct crowd *crowd = ctx;
    while (!atomic_load(&crowd->end)) {
        struct gk_account *account = NULL;
        struct gk_data_key *data_key = NULL;
        uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
        enum gk_status status = gk_account_open(crowd->fixture->instance, NAME, &account, NULL);
        count_odd(crowd, status);
        if (status == GK_OK) {
            status = gk_account_warm(account, DEADLINE_MS, NULL);
            count_odd(crowd, status);
            count_odd(crowd, gk_data_key_create(account, &scope, sealed, &data_key, NULL));
        }
        gk_data_key_free(data_key);
        gk_account_release(account);
    }
    return NULL;
}

/* Changes, rotations, checks and forgetting at once: nobody takes another's record for one that was
 * put back, and what was sealed first opens at the end. */
static void test_stored_record__changes_rotations_and_forgetting_at_once(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct crowd crowd = {.fixture = fixture};
    struct gk_account *account = open_account(fixture);
    struct gk_data_key *data_key = NULL;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_OK);
    gk_data_key_free(data_key);
    gk_account_release(account);
    void *(*const runs[])(void *) = {change_thread, change_thread, check_thread, use_thread};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, runs[i], &crowd), 0);
    }
    for (unsigned i = 0; i < 60; i++) {
        if (i % 5 == 0 && i < 50) {
            rotate_vault();
        }
        fake_host_advance(&fixture->host, i % 7 == 0 ? DAY_MS : 1000);
        nap();
        gk_account_forget(fixture->instance, NAME);
        nap();
    }
    atomic_store(&crowd.end, true);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&crowd.odd), 0);
    assert_int_equal(fake_host_events(&fixture->host, "record.rollback", NULL), 0);
    fixture_restart(fixture);
    assert_int_equal(warm(fixture), GK_OK);
    account = open_account(fixture);
    assert_int_equal(
        gk_data_key_open(account, &scope, gk_span_of(sealed, sizeof sealed), &data_key, NULL),
        GK_OK);
    gk_data_key_free(data_key);
    gk_account_release(account);
}

static void test_stored_record__a_shut_gates_word_lets_nobody_through(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct gk_account *account = open_account(fixture);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(check_now(fixture), GK_OK);
    const uint64_t shut = atomic_load(&account->gate);
    assert_int_equal(gk_account_still(account, shut, NULL), GK_E_DENIED);
    gk_account_release(account);
}

/* --- a vault that answers something else ------------------------------------------------------ */

static void test_stored_record__a_vault_that_answers_wrongly_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    rotate_vault();
    const unsigned writes = fake_host_writes(&fixture->host);
    const struct gk_encryption_settings settings = {.source = GK_KEY_SOURCE_SERVICE};
    char first[GK_KEY_ID_BYTES_MAX];
    fake_key_id(1, first);
    for (unsigned odd = 1; odd <= 6; odd++) {
        struct fake_vault *vault = fake_vault_lock();
        const unsigned wraps = vault->wraps;
        vault->odd_key_id = odd <= 4 ? odd : 0;
        vault->spoil_wrap = odd == 5;
        vault->short_key = odd == 6;
        fake_vault_unlock();
        /* A key of the wrong length is no answer; whoever asks by another way gets none either. */
        assert_int_equal(check_now(fixture) == GK_OK, odd == 6);
        if (odd == 6) {
            assert_state(fixture, GK_ACCOUNT_UNREACHABLE);
            assert_int_equal(set(fixture, &settings), GK_E_UNAVAILABLE);
        }
        assert_true(odd == 2 || odd == 5 || vault_now().wraps == wraps);
        /* What a get told of a newer version is written, once for each that it told of: of a third from 2
         * on, of the second from 5 on. No wrap is. */
        const unsigned told = odd >= 5 ? 2 : odd >= 2 ? 1 : 0;
        assert_int_equal(fake_host_writes(&fixture->host), writes + told);
        assert_int_equal(authorize_read(fixture), GK_OK);
        assert_int_equal(status_of(fixture).record_sequence, 1 + told);
        assert_string_equal(status_of(fixture).current_key_id, first);
    }
    fake_vault_lock()->short_key = false;
    fake_vault_unlock();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(status_of(fixture).record_sequence, 4);
}

static void test_stored_record__a_vault_that_answers_wrongly_makes_no_account(void **state)
{
    struct fixture *fixture = *state;
    struct gk_encryption_settings settings = customer_settings();
    snprintf(settings.key.version, sizeof settings.key.version, "%032x", 1);
    rotate_vault();
    for (unsigned odd = 1; odd <= 7; odd++) {
        struct fake_vault *vault = fake_vault_lock();
        vault->odd_key_id = odd <= 4 ? odd : 0;
        vault->spoil_wrap = odd == 5;
        vault->short_key = odd == 6;
        vault->plant = odd == 7;
        const unsigned wraps = vault->wraps;
        fake_vault_unlock();
        assert_int_not_equal(create_account(fixture, &settings), GK_OK);
        assert_true(odd > 4 || vault_now().wraps == wraps);
        assert_false(fake_host_has(&fixture->host, NAME, GK_ACCOUNT_ATTR));
    }
    fake_vault_lock()->plant = false;
    fake_vault_unlock();
    assert_int_equal(create_account(fixture, &settings), GK_OK);
}

static void test_stored_record__a_short_key_opens_nothing(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    fixture_restart(fixture);
    fake_vault_lock()->short_key = true;
    fake_vault_unlock();
    assert_int_equal(warm(fixture), GK_E_UNAVAILABLE);
    struct gk_account *account = open_account(fixture);
    struct gk_data_key *data_key = NULL;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL),
                     GK_E_UNAVAILABLE);
    assert_null(account->root_key);
    gk_account_release(account);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_stored_record__no_service_wrap_outlives_the_change_to_a_customers_key),
        TEST(test_stored_record__no_wrap_outlives_the_change_to_another_key),
        TEST(test_stored_record__an_older_versions_wrap_goes_from_both_in_time),
        TEST(test_stored_record__two_rotations_leave_two_versions),
        TEST(test_stored_record__nothing_is_kept_when_nothing_is_to_be_kept),
        TEST(test_stored_record__an_older_versions_wrap_goes_also_from_a_revoked_account),
        TEST(test_stored_record__a_record_before_that_must_not_be_there_is_removed),
        TEST(test_stored_record__a_wrap_is_not_used_beyond_its_time),
        TEST(test_stored_record__rotation_does_not_build_on_an_older_one),
        TEST(test_stored_record__a_change_does_not_build_on_an_older_one),
        TEST(test_stored_record__a_refusal_does_not_take_an_older_one),
        TEST(test_stored_record__another_record_of_the_same_number_is_refused),
        TEST(test_stored_record__an_older_one_is_not_taken_by_way_of_forgetting),
        TEST(test_stored_record__a_service_wrap_does_not_stand_in_for_the_customers_key),
        TEST(test_stored_record__the_known_one_is_not_read_but_what_is_stored_is_checked),
        TEST(test_stored_record__the_time_of_a_check_is_no_number_to_trust),
        TEST(test_stored_record__a_new_account_is_not_served_with_the_old_ones_key),
        TEST(test_stored_record__a_late_answer_does_not_forget_the_next_account),
        TEST(test_stored_record__a_proof_from_before_a_refusal_does_not_lift_it),
        TEST(test_stored_record__an_answer_to_an_older_record_is_asked_for_again),
        TEST(test_stored_record__a_slow_reader_has_not_found_an_older_one),
        TEST(test_stored_record__changes_rotations_and_forgetting_at_once),
        TEST(test_stored_record__a_shut_gates_word_lets_nobody_through),
        TEST(test_stored_record__a_vault_that_answers_wrongly_changes_nothing),
        TEST(test_stored_record__a_vault_that_answers_wrongly_makes_no_account),
        TEST(test_stored_record__a_short_key_opens_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
