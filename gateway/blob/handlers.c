/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/handlers.h"

#include "gateway/blob/list.h"

static const struct gk_handler *const handlers[GK_OPERATIONS_COUNT] = {
    [GK_OP_BLOB_LIST_CONTAINERS] = &gk_list_containers_handler,
    [GK_OP_BLOB_SET_BLOB_SERVICE_PROPERTIES] = &gk_set_service_properties_handler,
    [GK_OP_BLOB_GET_BLOB_SERVICE_PROPERTIES] = &gk_get_service_properties_handler,
    [GK_OP_BLOB_PREFLIGHT_BLOB_REQUEST] = &gk_preflight_handler,
    [GK_OP_BLOB_GET_BLOB_SERVICE_STATS] = &gk_get_service_stats_handler,
    [GK_OP_BLOB_GET_ACCOUNT_INFORMATION] = &gk_get_account_information_handler,
    [GK_OP_BLOB_GET_USER_DELEGATION_KEY] = &gk_get_user_delegation_key_handler,
    [GK_OP_BLOB_CREATE_CONTAINER] = &gk_create_container_handler,
    [GK_OP_BLOB_GET_CONTAINER_PROPERTIES] = &gk_get_container_properties_handler,
    [GK_OP_BLOB_GET_CONTAINER_METADATA] = &gk_get_container_properties_handler,
    [GK_OP_BLOB_SET_CONTAINER_METADATA] = &gk_set_container_metadata_handler,
    [GK_OP_BLOB_GET_CONTAINER_ACL] = &gk_get_container_acl_handler,
    [GK_OP_BLOB_SET_CONTAINER_ACL] = &gk_set_container_acl_handler,
    [GK_OP_BLOB_DELETE_CONTAINER] = &gk_delete_container_handler,
    [GK_OP_BLOB_LIST_BLOBS_WITH_METADATA] = &gk_list_blobs_handler,
    [GK_OP_BLOB_LIST_BLOBS] = &gk_list_blobs_handler,
    [GK_OP_BLOB_PUT_BLOB_BLOCKBLOB] = &gk_put_blob_handler,
    [GK_OP_BLOB_PUT_BLOB_APPENDBLOB] = &gk_put_append_blob_handler,
    [GK_OP_BLOB_APPEND_BLOCK] = &gk_append_block_handler,
    [GK_OP_BLOB_APPEND_BLOB_SEAL] = &gk_append_blob_seal_handler,
    [GK_OP_BLOB_GET_BLOB] = &gk_get_blob_handler,
    [GK_OP_BLOB_GET_BLOB_PROPERTIES] = &gk_get_blob_properties_handler,
    [GK_OP_BLOB_GET_BLOB_METADATA] = &gk_get_blob_metadata_handler,
    [GK_OP_BLOB_BLOB_BATCH] = &gk_blob_batch_handler,
    [GK_OP_BLOB_BLOB_BATCH_CONTAINER] = &gk_blob_batch_handler,
    [GK_OP_BLOB_FIND_BLOBS_BY_TAGS] = &gk_find_blobs_handler,
    [GK_OP_BLOB_FIND_BLOBS_BY_TAGS_IN_CONTAINER] = &gk_find_blobs_handler,
    [GK_OP_BLOB_GET_BLOB_TAGS] = &gk_get_blob_tags_handler,
    [GK_OP_BLOB_SET_BLOB_TAGS] = &gk_set_blob_tags_handler,
    [GK_OP_BLOB_SET_BLOB_PROPERTIES] = &gk_set_blob_properties_handler,
    [GK_OP_BLOB_SET_BLOB_METADATA] = &gk_set_blob_metadata_handler,
    [GK_OP_BLOB_SNAPSHOT_BLOB_WITH_METADATA] = &gk_snapshot_blob_handler,
    [GK_OP_BLOB_SNAPSHOT_BLOB] = &gk_snapshot_blob_handler,
    [GK_OP_BLOB_DELETE_BLOB] = &gk_delete_blob_handler,
    [GK_OP_BLOB_UNDELETE_BLOB] = &gk_undelete_blob_handler,
    [GK_OP_BLOB_SET_BLOB_TIER] = &gk_set_blob_tier_handler,
    [GK_OP_BLOB_SET_BLOB_IMMUTABILITY_POLICY] = &gk_set_blob_immutability_policy_handler,
    [GK_OP_BLOB_DELETE_BLOB_IMMUTABILITY_POLICY] = &gk_delete_blob_immutability_policy_handler,
    [GK_OP_BLOB_SET_BLOB_LEGAL_HOLD] = &gk_set_blob_legal_hold_handler,
    [GK_OP_BLOB_PUT_BLOCK] = &gk_put_block_handler,
    [GK_OP_BLOB_PUT_BLOCK_LIST] = &gk_put_block_list_handler,
    [GK_OP_BLOB_GET_BLOCK_LIST] = &gk_get_block_list_handler,
    [GK_OP_BLOB_LEASE_CONTAINER_ACQUIRE] = &gk_lease_container_handler,
    [GK_OP_BLOB_LEASE_CONTAINER_RENEW] = &gk_lease_container_handler,
    [GK_OP_BLOB_LEASE_CONTAINER_CHANGE] = &gk_lease_container_handler,
    [GK_OP_BLOB_LEASE_CONTAINER_RELEASE] = &gk_lease_container_handler,
    [GK_OP_BLOB_LEASE_CONTAINER_BREAK] = &gk_break_container_lease_handler,
    [GK_OP_BLOB_LEASE_BLOB_ACQUIRE] = &gk_lease_blob_handler,
    [GK_OP_BLOB_LEASE_BLOB_RENEW] = &gk_lease_blob_handler,
    [GK_OP_BLOB_LEASE_BLOB_CHANGE] = &gk_lease_blob_handler,
    [GK_OP_BLOB_LEASE_BLOB_RELEASE] = &gk_lease_blob_handler,
    [GK_OP_BLOB_LEASE_BLOB_BREAK] = &gk_break_blob_lease_handler,
};

const struct gk_handler *gk_blob_handler(enum gk_operation operation)
{
    return operation < GK_OPERATIONS_COUNT ? handlers[operation] : NULL;
}
