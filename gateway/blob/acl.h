/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use a container without an account's key: how far the public may read it, and the stored access
 * policies that shared access signatures name (Storage REST reference, "Set Container ACL"). Pure.
 *   level 1 | count 1 | policy ...
 *   policy   id, a text | start 8 | expiry 8 | permissions, a text
 */
#ifndef GATEWAY_BLOB_ACL_H
#define GATEWAY_BLOB_ACL_H

#include "gateway/blob/fields.h"

#define GK_ACL_POLICIES_MAX          5u
#define GK_ACL_ID_CHARACTERS_MAX     64u
#define GK_ACL_ID_BYTES_MAX          256u /* of so many in UTF-8 */
#define GK_ACL_PERMISSIONS_BYTES_MAX 16u

/* Each allows what those before it do. */
enum gk_public_access {
    GK_PUBLIC_NONE,
    GK_PUBLIC_BLOB,      /* its blobs are read by who knows their names */
    GK_PUBLIC_CONTAINER, /* and listed */
    GK_PUBLIC_LEVELS
};
/* As headers and listings have them; NULL for none. */
extern const char *const gk_public_access_names[GK_PUBLIC_LEVELS];

#define GK_ACL_NO_TIME INT64_MIN

/* A field that is not set is the signature's to set. */
struct gk_stored_policy {
    char id[GK_ACL_ID_BYTES_MAX + 1];
    int64_t start_wall_ms; /* GK_ACL_NO_TIME: not set */
    int64_t expiry_wall_ms;
    char permissions[GK_ACL_PERMISSIONS_BYTES_MAX + 1]; /* letters; "": not set */
};

struct gk_acl {
    enum gk_public_access level;
    uint32_t policies_count;
    struct gk_stored_policy policies[GK_ACL_POLICIES_MAX];
};

extern const struct gk_field_kind gk_acl_field;

/* NULL when there is none of this id. */
const struct gk_stored_policy *gk_acl_find(const struct gk_acl *acl, const char *id);

/* The body of Set Container ACL, into acl's policies. 400 InvalidXmlDocument, InvalidXmlNodeValue. */
enum gk_status gk_acl_xml_read(struct gk_span body, struct gk_acl *acl,
                               struct gk_error *error) GK_MUST_USE;
/* The body of Get Container ACL. */
enum gk_status gk_acl_xml_write(const struct gk_acl *acl, struct gk_buf *out,
                                struct gk_error *error) GK_MUST_USE;

#endif
