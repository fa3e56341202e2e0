/* SPDX-License-Identifier: Apache-2.0 */
/* One handler an operation; handlers.c maps the rows of operations.def to them. */
#ifndef GATEWAY_BLOB_HANDLERS_H
#define GATEWAY_BLOB_HANDLERS_H

#include "gateway/http/request.h"

extern const struct gk_handler gk_set_service_properties_handler;
extern const struct gk_handler gk_get_service_properties_handler;
extern const struct gk_handler gk_preflight_handler;
extern const struct gk_handler gk_get_service_stats_handler;
extern const struct gk_handler gk_get_account_information_handler;
extern const struct gk_handler gk_get_user_delegation_key_handler;

extern const struct gk_handler gk_create_container_handler;
extern const struct gk_handler gk_delete_container_handler;
extern const struct gk_handler gk_restore_container_handler;
extern const struct gk_handler gk_rename_container_handler;
extern const struct gk_handler gk_get_container_properties_handler; /* and Get Container Metadata */
extern const struct gk_handler gk_set_container_metadata_handler;
extern const struct gk_handler gk_get_container_acl_handler;
extern const struct gk_handler gk_set_container_acl_handler;
/* Lease Container and Lease Blob: all actions but break, which who may delete may do, too. */
extern const struct gk_handler gk_lease_container_handler;
extern const struct gk_handler gk_break_container_lease_handler;
extern const struct gk_handler gk_lease_blob_handler;
extern const struct gk_handler gk_break_blob_lease_handler;

/* Makes the container that request names, without metadata, unless it is there. */
enum gk_status gk_container_ensure(struct gk_request *request, struct gk_error *error) GK_MUST_USE;

extern const struct gk_handler gk_put_blob_handler;
extern const struct gk_handler gk_get_blob_handler;
extern const struct gk_handler gk_query_blob_handler;
extern const struct gk_handler gk_get_blob_properties_handler;
extern const struct gk_handler gk_get_blob_metadata_handler;
extern const struct gk_handler gk_set_blob_properties_handler;
extern const struct gk_handler gk_set_blob_metadata_handler;
extern const struct gk_handler gk_snapshot_blob_handler;
extern const struct gk_handler gk_delete_blob_handler;
extern const struct gk_handler gk_undelete_blob_handler;
extern const struct gk_handler gk_set_blob_tier_handler;
extern const struct gk_handler gk_set_blob_expiry_handler;
extern const struct gk_handler gk_set_blob_immutability_policy_handler;
extern const struct gk_handler gk_delete_blob_immutability_policy_handler;
extern const struct gk_handler gk_set_blob_legal_hold_handler;
extern const struct gk_handler gk_blob_batch_handler; /* of an account, and of a container */
extern const struct gk_handler gk_find_blobs_handler; /* of an account, and of a container */
extern const struct gk_handler gk_get_blob_tags_handler;
extern const struct gk_handler gk_set_blob_tags_handler;
extern const struct gk_handler gk_put_block_handler;
extern const struct gk_handler gk_put_block_list_handler;
extern const struct gk_handler gk_get_block_list_handler;
extern const struct gk_handler gk_put_append_blob_handler;
extern const struct gk_handler gk_append_block_handler;
extern const struct gk_handler gk_append_blob_seal_handler;

extern const struct gk_handler gk_put_page_blob_handler;
extern const struct gk_handler gk_put_page_update_handler;
extern const struct gk_handler gk_put_page_clear_handler;
extern const struct gk_handler gk_get_page_ranges_handler;

extern const struct gk_handler gk_put_blob_from_url_handler;
extern const struct gk_handler gk_put_block_from_url_handler;
extern const struct gk_handler gk_append_block_from_url_handler;
extern const struct gk_handler gk_put_page_from_url_handler;
extern const struct gk_handler gk_copy_blob_from_url_handler;
extern const struct gk_handler gk_copy_blob_handler;
extern const struct gk_handler gk_abort_copy_blob_handler;
extern const struct gk_handler gk_incremental_copy_blob_handler;
#endif
