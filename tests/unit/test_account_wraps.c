/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is told of an account's wraps are all that are stored, of every generation and of the record before
 * too, and none that are not; without a vault, whatever memory has. Method: count them after each change. */
#include "plugin/account_wraps.h"

#include "common/text.h"

#include "unit/instance_fixture.h"

#define WRAPS_MAX 32u

struct seen {
    size_t count;
    struct gk_wrap_info wraps[WRAPS_MAX];
    char key_ids[WRAPS_MAX][GK_KEY_ID_BYTES_MAX];
};

static void see(void *ctx, const struct gk_wrap_info *wrap)
{
    struct seen *seen = ctx;
    assert_true(seen->count < WRAPS_MAX);
    seen->wraps[seen->count] = *wrap;
    snprintf(seen->key_ids[seen->count++], GK_KEY_ID_BYTES_MAX, "%s", wrap->key_id);
}

static enum gk_status look(struct fixture *fixture, struct seen *seen)
{
    seen->count = 0;
    fixture->error = (struct gk_error){0};
    return gk_account_wraps(fixture->instance, NAME, see, seen, &fixture->error);
}

static size_t different(const struct seen *seen)
{
    size_t count = 0;
    for (size_t i = 0; i < seen->count; i++) {
        bool first = true;
        for (size_t j = 0; j < i; j++) {
            first = first && memcmp(seen->wraps[i].sha256, seen->wraps[j].sha256, 32) != 0;
        }
        count += first;
    }
    return count;
}

static void test_account_wraps__follow_the_record(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    assert_int_equal(look(fixture, &seen), GK_E_NOT_FOUND);
    create_customer(fixture);
    assert_int_equal(look(fixture, &seen), GK_OK);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.wraps[0].generation, 1);
    assert_true(seen.wraps[0].by_vault);
    const struct gk_account_status status = status_of(fixture);
    assert_string_equal(seen.key_ids[0], status.current_key_id);
    assert_true(gk_id_equal(&seen.wraps[0].account_id, &status.id));

    rotate_vault(); /* the record before stays beside, with a wrap that the new one has as well */
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(look(fixture, &seen), GK_OK);
    assert_int_equal(seen.count, 3);
    assert_int_equal(different(&seen), 2);

    assert_int_equal(gk_account_new_root_key(fixture->instance, NAME, &by_tester, &fixture->error),
                     GK_OK);
    assert_int_equal(look(fixture, &seen), GK_OK);
    assert_int_equal(seen.count, 2);
    assert_false(seen.wraps[0].by_vault); /* by the root key that came after */
    assert_int_equal(seen.wraps[1].generation, 2);

    assert_int_equal(retire_below(fixture, 2), 1);
    assert_int_equal(look(fixture, &seen), GK_OK);
    assert_int_equal(seen.count, 1);
}

static void test_account_wraps__need_no_key_and_no_memory(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    create_customer(fixture);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    gk_account_forget(fixture->instance, NAME);
    const unsigned unwraps = vault_now().unwraps;
    assert_int_equal(look(fixture, &seen), GK_OK);
    assert_int_equal(seen.count, 1);
    assert_int_equal(vault_now().unwraps, unwraps);
}

static void test_account_wraps__of_what_is_not_authentic_are_none(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    create_customer(fixture);
    uint8_t record[FAKE_VALUE_MAX];
    const size_t len = fake_host_read(&fixture->host, NAME, GK_ACCOUNT_ATTR, record, sizeof record);
    record[len / 2] ^= 1;
    fake_host_write(&fixture->host, NAME, GK_ACCOUNT_ATTR, record, len);
    assert_int_equal(look(fixture, &seen), GK_E_INTEGRITY);
    assert_int_equal(seen.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_account_wraps__follow_the_record, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_account_wraps__need_no_key_and_no_memory,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_account_wraps__of_what_is_not_authentic_are_none,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
