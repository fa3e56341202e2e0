/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/account_name.h"

#include <stdio.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyz0123456789"

static bool scope_is_valid(const char *name)
{
    const size_t len = strspn(name, LETTERS "-");
    return name[len] == '\0' && len >= 3 && len < GK_SCOPE_NAME_BYTES_MAX && name[0] != '-' &&
           name[len - 1] != '-' && strstr(name, "--") == NULL;
}

bool gk_account_name_is_valid(const char *name)
{
    const size_t len = strspn(name, LETTERS);
    return len >= 3 && len < GK_ACCOUNT_NAME_BYTES_MAX &&
           (name[len] == '\0' || (name[len] == '/' && scope_is_valid(name + len + 1)));
}

bool gk_account_name_is_scope(const char *name)
{
    return strchr(name, '/') != NULL;
}

void gk_account_name_parent(const char *scope, char name[GK_ACCOUNT_NAME_BYTES_MAX])
{
    snprintf(name, GK_ACCOUNT_NAME_BYTES_MAX, "%.*s", (int)strcspn(scope, "/"), scope);
}
