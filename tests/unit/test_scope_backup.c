/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: nothing of a scope's restore is left when its account was shredded while the vault was asked for it, and what is
 * another account's by then stays. Method: over the embedded store, with a plugin whose restore begins the shredding
 * between its check and its write.
 */
#include "gateway/scope_backup.h"

#include <stdio.h>

#include "common/error.h"
#include "gateway/account_attrs.h"
#include "gateway/shredded.h"
#include "unit/store_world.h"

#define SCOPE "acme/ledger"

static struct {
    struct gk_store *store;
    struct gk_id present; /* of the scope that stands in the store after the write */
    enum gk_account_presence presence;
    enum gk_status put; /* what becomes of the account's row */
    unsigned puts;
    unsigned changes; /* so often another gateway writes to the scope's object after it was read */
} fake;

static struct gk_gateway_account account = {
    .name = "acme", .object = "account/acme", .id.bytes = {1}};
static const struct gk_id restored = {.bytes = {2}};

enum gk_status __wrap_gk_accounts_get(struct gk_accounts *accounts, const char *name,
                                      struct gk_gateway_account **out, struct gk_error *error);
enum gk_status __wrap_gk_accounts_get(struct gk_accounts *accounts, const char *name,
                                      struct gk_gateway_account **out, struct gk_error *error)
{
    (void)accounts, (void)name, (void)error;
    *out = &account;
    return GK_OK;
}

enum gk_status __wrap_gk_accounts_presence(struct gk_accounts *accounts, const char *name,
                                           const struct gk_id *id,
                                           enum gk_account_presence *presence,
                                           struct gk_error *error);
enum gk_status __wrap_gk_accounts_presence(struct gk_accounts *accounts, const char *name,
                                           const struct gk_id *id,
                                           enum gk_account_presence *presence,
                                           struct gk_error *error)
{
    (void)accounts, (void)error;
    assert_string_equal(name, account.name);
    assert_memory_equal(id, &account.id, sizeof *id);
    *presence = fake.presence;
    return GK_OK;
}

enum gk_status __wrap_gk_scope_put(const struct gk_gateway *gateway,
                                   const struct gk_gateway_account *of, const char *name,
                                   bool disabled, struct gk_error *error);
enum gk_status __wrap_gk_scope_put(const struct gk_gateway *gateway,
                                   const struct gk_gateway_account *of, const char *name,
                                   bool disabled, struct gk_error *error)
{
    (void)gateway, (void)of, (void)name, (void)disabled, (void)error;
    fake.puts++;
    return fake.put;
}

void __wrap_gk_accounts_put(struct gk_gateway_account *used);
void __wrap_gk_accounts_put(struct gk_gateway_account *used)
{
    assert_ptr_equal(used, &account);
}

static void begin_shredding(void)
{
    struct gk_shredded shredded = {.id = account.id,
                                   .about = json_pack("{s:s}", "account", account.name),
                                   .wraps = json_object()};
    assert_int_equal(gk_shredded_write(fake.store, &shredded, NULL), GK_OK);
    gk_shredded_cleanup(&shredded);
}

static enum gk_status restore(struct gk_instance *instance, const char *path,
                              const struct gk_account_restore *asked, const struct gk_call *call,
                              struct gk_account_record_info *info, struct gk_error *error)
{
    (void)instance, (void)call;
    const struct gk_attr record = {.name = "record", .value = asked->record};
    struct gk_attr beside = {.name = NULL};
    uint64_t version = 0;
    const enum gk_status status = asked->check(asked->check_ctx, NULL, &restored, &beside, error);
    if (status != GK_OK) {
        return status;
    }
    begin_shredding();
    info->id = restored;
    return gk_account_attrs_set_if(fake.store, path, 0, &record, 1, &version, error);
}

static void change_object(const char *path)
{
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    const struct gk_change change = {.kind = GK_CHANGE_ATTR_SET,
                                     .key = gk_span_str("gatekey.version-check"),
                                     .value = gk_span_str("1")};
    assert_int_equal(gk_account_object(path, object, NULL), GK_OK);
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = object, .changes = &change, .changes_count = 1};
    assert_int_equal(gk_store_write(fake.store, &op, NULL, NULL), GK_OK);
}

static enum gk_status export(struct gk_instance *instance, const char *path, const char *actor,
                             uint8_t *out, size_t out_max, size_t *len,
                             struct gk_account_record_info *info, struct gk_error *error) {
    (void)instance, (void)out_max, (void)error;
    if (fake.changes > 0){fake.changes--; change_object(path);}
assert_string_equal(actor, "");
out[0] = 'x';
*len = 1;
info->id = fake.present;
return GK_OK;
}

static void forget(struct gk_instance *instance, const char *path)
{
    (void)instance, (void)path;
}

static const struct gk_plugin plugin = {
    .account_record_export = export, .account_record_restore = restore, .account_forget = forget};
static struct gk_plugin_host host = {.plugin = &plugin};

static void pass_over(void *ctx, const struct gk_attr *attr)
{
    (void)ctx, (void)attr;
}

static enum gk_status restore_while_shredded(struct store_world *world, struct gk_id present,
                                             struct gk_error *error)
{
    struct gk_gateway gateway = {.host = &host, .store = world->store};
    struct gk_scope_backup backup;
    const struct gk_call call = {0};
    fake.store = world->store;
    fake.present = present;
    fake.puts = 0;
    gk_scope_backup_init(&backup);
    snprintf(backup.name, sizeof backup.name, "ledger");
    gk_buf_append_str(&backup.record, "x");
    const enum gk_status status =
        gk_scope_backup_restore(&gateway, account.name, &backup, false, &call, error);
    gk_scope_backup_cleanup(&backup);
    return status;
}

static enum gk_status look(struct store_world *world)
{
    uint64_t version = 0;
    return gk_account_attrs_get(world->store, SCOPE, pass_over, NULL, &version, NULL);
}

static void test_scope_backup__what_a_shredding_passed_is_taken_back(void **state)
{
    struct store_world *world = *state;
    struct gk_error error = {0};
    fake.presence = GK_PRESENCE_GONE;
    assert_int_equal(restore_while_shredded(world, restored, &error), GK_E_INVALID);
    assert_int_equal(error.http_status, 409);
    assert_string_equal(error.code, "AccountShredded");
    assert_int_equal(look(world), GK_E_NOT_FOUND);
}

static void test_scope_backup__though_others_write_to_it_meanwhile(void **state)
{
    struct store_world *world = *state;
    fake.presence = GK_PRESENCE_GONE;
    fake.changes = 2;
    assert_int_equal(restore_while_shredded(world, restored, NULL), GK_E_INVALID);
    assert_int_equal(fake.changes, 0);
    assert_int_equal(look(world), GK_E_NOT_FOUND);
}

static void test_scope_backup__a_later_accounts_scope_stays(void **state)
{
    struct store_world *world = *state;
    struct gk_error error = {0};
    const struct gk_id later = {.bytes = {3}};
    fake.presence = GK_PRESENCE_GONE;
    assert_int_equal(restore_while_shredded(world, later, &error), GK_E_INVALID);
    assert_int_equal(look(world), GK_OK);
}

/* One that has yet to destroy something begins anew, for the account was changed, and notes the scope then. */
static void test_scope_backup__a_shredding_that_goes_on_is_made_to_begin_anew(void **state)
{
    struct store_world *world = *state;
    fake.presence = GK_PRESENCE_THERE;
    fake.put = GK_OK;
    assert_int_equal(restore_while_shredded(world, restored, NULL), GK_OK);
    assert_int_equal(fake.puts, 1);
    assert_int_equal(look(world), GK_OK);
}

static void test_scope_backup__one_whose_account_went_meanwhile_is_taken_back(void **state)
{
    struct store_world *world = *state;
    fake.presence = GK_PRESENCE_THERE;
    fake.put = GK_E_NOT_FOUND;
    assert_int_equal(restore_while_shredded(world, restored, NULL), GK_E_NOT_FOUND);
    assert_int_equal(look(world), GK_E_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_scope_backup__what_a_shredding_passed_is_taken_back,
                                        store_world_setup, store_world_teardown),
        cmocka_unit_test_setup_teardown(test_scope_backup__though_others_write_to_it_meanwhile,
                                        store_world_setup, store_world_teardown),
        cmocka_unit_test_setup_teardown(test_scope_backup__a_later_accounts_scope_stays,
                                        store_world_setup, store_world_teardown),
        cmocka_unit_test_setup_teardown(
            test_scope_backup__a_shredding_that_goes_on_is_made_to_begin_anew, store_world_setup,
            store_world_teardown),
        cmocka_unit_test_setup_teardown(
            test_scope_backup__one_whose_account_went_meanwhile_is_taken_back, store_world_setup,
            store_world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
