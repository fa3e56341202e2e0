/* SPDX-License-Identifier: Apache-2.0 */
/* One handler for each operation; the router has checked path, token, api-version and permission. */
#ifndef KEYVAULTD_HANDLERS_H
#define KEYVAULTD_HANDLERS_H

#include "keyvaultd/request.h"

/* key_handlers.c */
kv_handler_fn kv_handle_create;
kv_handler_fn kv_handle_import;
kv_handler_fn kv_handle_get;
kv_handler_fn kv_handle_update;
kv_handler_fn kv_handle_rotate;

/* policy_handlers.c */
kv_handler_fn kv_handle_get_policy;
kv_handler_fn kv_handle_set_policy;

/* crypto_handlers.c */
kv_handler_fn kv_handle_wrap;
kv_handler_fn kv_handle_unwrap;
kv_handler_fn kv_handle_encrypt;
kv_handler_fn kv_handle_decrypt;

/* list_handlers.c */
kv_handler_fn kv_handle_list;
kv_handler_fn kv_handle_list_versions;
kv_handler_fn kv_handle_list_deleted;

/* deleted_handlers.c */
kv_handler_fn kv_handle_delete;
kv_handler_fn kv_handle_get_deleted;
kv_handler_fn kv_handle_recover;
kv_handler_fn kv_handle_purge;

/* token_handlers.c */
kv_handler_fn kv_handle_token_v1;
kv_handler_fn kv_handle_token_v2;

/* managed_handlers.c */
kv_handler_fn kv_handle_imds;
kv_handler_fn kv_handle_arc;
kv_handler_fn kv_handle_app_service;

/* discovery_handlers.c */
kv_handler_fn kv_handle_instance;
kv_handler_fn kv_handle_openid;
kv_handler_fn kv_handle_signing_keys;

/* control_handlers.c */
kv_handler_fn kv_handle_fault_add;
kv_handler_fn kv_handle_faults_clear;
kv_handler_fn kv_handle_identity;
kv_handler_fn kv_handle_vault;
kv_handler_fn kv_handle_clock;
kv_handler_fn kv_handle_calls;

#endif
