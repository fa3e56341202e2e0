/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: who misspells a name is told the right one, and who writes something else is told nothing. */
#include "cmocka_all.h"

#include "common/nearest.h"

static void test_nearest__finds_what_was_meant(void **state)
{
    (void)state;
    static const char *const known[] = {"listen", "tls_listen", "tls_key", "domain", "conf"};
    static const struct {
        const char *written;
        const char *meant;
    } rows[] = {
        {"listen", "listen"},
        {"lisen", "listen"},
        {"Listen", "listen"},
        {"tls_listem", "tls_listen"},
        {"tlslisten", "tls_listen"},
        {"tsl_key", "tls_key"},
        {"domains", "domain"},
        {"cnf", "conf"},
        {"port", NULL},
        {"", NULL},
        {"con", "conf"},
        {"cxxf", NULL},
        {"a_name_that_is_longer_than_any_setting_that_there_is_or_that_will_ever_be", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *found = gk_nearest_name(rows[i].written, known, sizeof known / sizeof known[0]);
        if (rows[i].meant == NULL) {
            assert_null(found);
        } else {
            assert_non_null(found);
            assert_string_equal(found, rows[i].meant);
        }
    }
    assert_null(gk_nearest_name("listen", NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest__finds_what_was_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
