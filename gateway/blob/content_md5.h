/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An MD5 that a client has set of a blob and that is none: x-ms-blob-content-md5 is kept as it came wherever
 * nothing is compared with it, and clients set what they like (Storage REST reference, "Set Blob Properties").
 *   the bytes
 */
#ifndef GATEWAY_BLOB_CONTENT_MD5_H
#define GATEWAY_BLOB_CONTENT_MD5_H

#include "gateway/blob/fields.h"

#define GK_CONTENT_MD5_BYTES_MAX 64u

/* All zero: there is none. */
struct gk_content_md5 {
    uint8_t len;
    uint8_t bytes[GK_CONTENT_MD5_BYTES_MAX];
};

extern const struct gk_field_kind gk_content_md5_field;

#endif
