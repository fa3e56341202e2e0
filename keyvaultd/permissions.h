/* SPDX-License-Identifier: Apache-2.0 */
/* What an identity may do in the vault, and what a key may be used for: sets of bits with names. */
#ifndef KEYVAULTD_PERMISSIONS_H
#define KEYVAULTD_PERMISSIONS_H

#include <stdbool.h>
#include <stdint.h>

enum kv_permission {
    KV_MAY_GET = 1u << 0,
    KV_MAY_LIST = 1u << 1,
    KV_MAY_CREATE = 1u << 2,
    KV_MAY_IMPORT = 1u << 3,
    KV_MAY_UPDATE = 1u << 4,
    KV_MAY_ROTATE = 1u << 5,
    KV_MAY_DELETE = 1u << 6,
    KV_MAY_RECOVER = 1u << 7,
    KV_MAY_PURGE = 1u << 8,
    KV_MAY_WRAP = 1u << 9,
    KV_MAY_UNWRAP = 1u << 10,
    KV_MAY_ENCRYPT = 1u << 11,
    KV_MAY_DECRYPT = 1u << 12,
    KV_MAY_GET_POLICY = 1u << 13,
    KV_MAY_SET_POLICY = 1u << 14
};
#define KV_MAY_ALL ((1u << 15) - 1u)

enum kv_key_op {
    KV_OP_ENCRYPT = 1u << 0,
    KV_OP_DECRYPT = 1u << 1,
    KV_OP_SIGN = 1u << 2,
    KV_OP_VERIFY = 1u << 3,
    KV_OP_WRAP = 1u << 4,
    KV_OP_UNWRAP = 1u << 5
};
#define KV_OP_ALL ((1u << 6) - 1u)

/* The bit of a name ("wrapKey"), 0 when there is none. */
uint32_t kv_permission_of(const char *name);
uint32_t kv_key_op_of(const char *name);
/* The name of a single bit. */
const char *kv_permission_name(uint32_t bit);
const char *kv_key_op_name(uint32_t bit);

#endif
