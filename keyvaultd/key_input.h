/* SPDX-License-Identifier: Apache-2.0 */
/* The parts that create, import and update read from a body. */
#ifndef KEYVAULTD_KEY_INPUT_H
#define KEYVAULTD_KEY_INPUT_H

#include "keyvaultd/request.h"

/*
 * Overwrites in version what the body gives: key_ops (an array of names, from holder), and
 * attributes and tags (from the body). Absent and null members change nothing. tags is borrowed
 * from the body. False: refused with 400.
 */
bool kv_input_read(struct kv_request *request, const json_t *holder,
                   struct kv_version *version) GK_MUST_USE;

#endif
