/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a backup takes the place of what is known of an account only when nothing is lost by it and no
 * change of the key is undone unasked. Method: a table of what is known against the backup. */
#include "plugin/restore_rules.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit/cmocka_all.h"

/* A record in short: what the rules look at. */
struct sketch {
    uint8_t id;
    const char *vault;  /* NULL: service-managed */
    const char *key;    /* with a vault */
    const char *pinned; /* key version in the settings */
    const char *identity;
    struct {
        uint8_t root; /* 0: there is no such generation */
        enum gk_generation_state state;
    } generations[2]; /* 1 and 2 */
};

static void draw(const struct sketch *sketch, struct gk_account_record *record)
{
    *record = (struct gk_account_record){.account = "acme", .sequence = 5};
    record->id.bytes[0] = sketch->id;
    if (sketch->vault != NULL) {
        struct gk_encryption_settings *settings = &record->settings;
        settings->source = GK_KEY_SOURCE_CUSTOMER;
        snprintf(settings->key.vault_uri, sizeof settings->key.vault_uri, "%s", sketch->vault);
        snprintf(settings->key.name, sizeof settings->key.name, "%s", sketch->key);
        snprintf(settings->key.version, sizeof settings->key.version, "%s", sketch->pinned);
        snprintf(settings->identity.resource_id, sizeof settings->identity.resource_id, "%s",
                 sketch->identity);
    }
    for (uint32_t i = 0; i < 2; i++) {
        if (sketch->generations[i].root != 0) {
            struct gk_root_generation *generation =
                &record->generations[record->generations_count++];
            generation->generation = i + 1;
            generation->state = sketch->generations[i].state;
            generation->commitment[0] = sketch->generations[i].root;
        }
    }
}

#define ACTIVE  GK_GENERATION_ACTIVE
#define OLD     GK_GENERATION_DECRYPT_ONLY
#define RETIRED GK_GENERATION_RETIRED
#define CUSTOMER(id, key, pinned, identity, ...)                                                   \
    {                                                                                              \
        id, "https://vault", key, pinned, identity,                                                \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define SERVICE(id, ...)                                                                           \
    {                                                                                              \
        id, NULL, NULL, NULL, NULL,                                                                \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

struct row {
    const char *what;
    struct sketch known;
    struct sketch backup;
    enum gk_restore_verdict verdict;
};

static const struct row rows[] = {
    {"the same record", CUSTOMER(1, "k", "", "i", {7, ACTIVE}),
     CUSTOMER(1, "k", "", "i", {7, ACTIVE}), GK_RESTORE_ALLOWED},
    {"the same, service-managed", SERVICE(1, {7, ACTIVE}), SERVICE(1, {7, ACTIVE}),
     GK_RESTORE_ALLOWED},
    {"another account of the name", SERVICE(2, {7, ACTIVE}), SERVICE(1, {7, ACTIVE}),
     GK_RESTORE_OTHER_ACCOUNT},
    {"another root key of the number", SERVICE(1, {8, ACTIVE}), SERVICE(1, {7, ACTIVE}),
     GK_RESTORE_LOSES_DATA},
    {"from before a second root key", SERVICE(1, {7, OLD}, {8, ACTIVE}), SERVICE(1, {7, ACTIVE}),
     GK_RESTORE_LOSES_DATA},
    {"from before the first was retired", SERVICE(1, {7, RETIRED}, {8, ACTIVE}),
     SERVICE(1, {7, OLD}, {8, ACTIVE}), GK_RESTORE_REVIVES_ROOT_KEY},
    {"without a retired root key", SERVICE(1, {7, RETIRED}, {8, ACTIVE}),
     SERVICE(1, {0, ACTIVE}, {8, ACTIVE}), GK_RESTORE_ALLOWED},
    {"one in use is retired in the backup", SERVICE(1, {7, OLD}, {8, ACTIVE}),
     SERVICE(1, {7, RETIRED}, {8, ACTIVE}), GK_RESTORE_LOSES_DATA},
    {"the backup has one more", SERVICE(1, {7, ACTIVE}), SERVICE(1, {7, OLD}, {8, ACTIVE}),
     GK_RESTORE_REVIVES_ROOT_KEY},
    {"from before the customer's key", CUSTOMER(1, "k", "", "i", {7, ACTIVE}),
     SERVICE(1, {7, ACTIVE}), GK_RESTORE_CHANGES_SETTINGS},
    {"from before the customer's key was left", SERVICE(1, {7, ACTIVE}),
     CUSTOMER(1, "k", "", "i", {7, ACTIVE}), GK_RESTORE_CHANGES_SETTINGS},
    {"another key", CUSTOMER(1, "new", "", "i", {7, ACTIVE}),
     CUSTOMER(1, "k", "", "i", {7, ACTIVE}), GK_RESTORE_CHANGES_SETTINGS},
    {"a version that was pinned since", CUSTOMER(1, "k", "v2", "i", {7, ACTIVE}),
     CUSTOMER(1, "k", "", "i", {7, ACTIVE}), GK_RESTORE_CHANGES_SETTINGS},
    {"another identity", CUSTOMER(1, "k", "", "new", {7, ACTIVE}),
     CUSTOMER(1, "k", "", "i", {7, ACTIVE}), GK_RESTORE_CHANGES_SETTINGS},
    {"other settings and another account", CUSTOMER(2, "k", "", "i", {7, ACTIVE}),
     SERVICE(1, {7, ACTIVE}), GK_RESTORE_OTHER_ACCOUNT},
    {"other settings and another root key", CUSTOMER(1, "k", "", "i", {8, ACTIVE}),
     SERVICE(1, {7, ACTIVE}), GK_RESTORE_LOSES_DATA},
};

static void test_restore_rules__known_against_backup(void **state)
{
    (void)state;
    static struct gk_account_record known;
    static struct gk_account_record backup;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        draw(&row->known, &known);
        draw(&row->backup, &backup);
        const enum gk_restore_verdict verdict = gk_restore_judge(&known, &backup);
        if (verdict != row->verdict) {
            fail_msg("%s: %d", row->what, (int)verdict);
        }
        assert_int_equal(gk_restore_judge(NULL, &backup), GK_RESTORE_ALLOWED);
    }
}

static void test_restore_rules__the_number_is_later_than_all_that_was_seen(void **state)
{
    (void)state;
    assert_int_equal(gk_restore_sequence(3, 9, false), 10);
    assert_int_equal(gk_restore_sequence(9, 3, false), 10);
    assert_int_equal(gk_restore_sequence(9, 0, false), 10);
    /* What the store had may have been any: other gateways remember it. */
    assert_true(gk_restore_sequence(3, 9, true) > 100000);
    assert_true(gk_restore_sequence(3, 0, true) > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restore_rules__known_against_backup),
        cmocka_unit_test(test_restore_rules__the_number_is_later_than_all_that_was_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
