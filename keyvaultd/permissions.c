/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/permissions.h"

#include <stddef.h>
#include <string.h>

/* In the order of the bits. */
static const char *const permission_names[] = {"get",
                                               "list",
                                               "create",
                                               "import",
                                               "update",
                                               "rotate",
                                               "delete",
                                               "recover",
                                               "purge",
                                               "wrapKey",
                                               "unwrapKey",
                                               "encrypt",
                                               "decrypt",
                                               "getrotationpolicy",
                                               "setrotationpolicy"};
static const char *const key_op_names[] = {"encrypt", "decrypt", "sign",
                                           "verify",  "wrapKey", "unwrapKey"};

static uint32_t bit_of(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return 1u << i;
        }
    }
    return 0;
}

static const char *name_of(const char *const *names, size_t count, uint32_t bit)
{
    for (size_t i = 0; i < count; i++) {
        if (bit == 1u << i) {
            return names[i];
        }
    }
    return "";
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

uint32_t kv_permission_of(const char *name)
{
    return bit_of(permission_names, COUNT(permission_names), name);
}

uint32_t kv_key_op_of(const char *name)
{
    return bit_of(key_op_names, COUNT(key_op_names), name);
}

const char *kv_permission_name(uint32_t bit)
{
    return name_of(permission_names, COUNT(permission_names), bit);
}

const char *kv_key_op_name(uint32_t bit)
{
    return name_of(key_op_names, COUNT(key_op_names), bit);
}
