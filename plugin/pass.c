/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/pass.h"

#include "common/error.h"
#include "plugin/account_name.h"

/* The account that a scope is in, with a reference; NULL where memory has none, and for what is no scope. */
static struct gk_account *find_parent(const struct gk_account *account)
{
    char name[GK_ACCOUNT_NAME_BYTES_MAX];
    if (!gk_account_name_is_scope(account->name)) {
        return NULL;
    }
    gk_account_name_parent(account->name, name);
    return gk_accounts_find(account->instance, name);
}

static enum gk_status enter_parent(struct gk_pass *pass, struct gk_error *error)
{
    pass->parent = find_parent(pass->account);
    if (pass->parent == NULL) {
        return GK_OK;
    }
    const enum gk_status status = gk_account_enter(pass->parent, &pass->parent_gate, error);
    if (status != GK_E_COLD) {
        return status;
    }
    gk_error_clear(error);
    gk_account_release(pass->parent);
    pass->parent = NULL;
    return GK_OK;
}

enum gk_status gk_pass_take(struct gk_account *account, struct gk_pass *out, struct gk_error *error)
{
    gk_account_retain(account);
    *out = (struct gk_pass){.account = account};
    enum gk_status status = enter_parent(out, error);
    if (status == GK_OK) {
        status = gk_account_enter(account, &out->gate, error);
    }
    if (status != GK_OK) {
        gk_pass_release(out);
    }
    return status;
}

struct gk_pass gk_pass_copy(const struct gk_pass *pass)
{
    gk_account_retain(pass->account);
    if (pass->parent != NULL) {
        gk_account_retain(pass->parent);
    }
    return *pass;
}

void gk_pass_release(struct gk_pass *pass)
{
    gk_account_release(pass->account);
    gk_account_release(pass->parent);
    *pass = (struct gk_pass){0};
}

enum gk_status gk_pass_still(const struct gk_pass *pass, struct gk_error *error)
{
    const enum gk_status status =
        pass->parent == NULL ? GK_OK : gk_account_still(pass->parent, pass->parent_gate, error);
    return status == GK_OK ? gk_account_still(pass->account, pass->gate, error) : status;
}
