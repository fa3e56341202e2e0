/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MD5 and CRC-64 of a body on its way. MD5 is libcrypto's; the CRC is the storage service's own
 * (polynomial 0xad93d23594c93659, reflected, all ones before and after; CRC-64/NVME in the catalogue of
 * parametrised CRC algorithms), for which there is no packaged C library.
 */
#ifndef GATEWAY_BLOB_CHECKSUM_H
#define GATEWAY_BLOB_CHECKSUM_H

#include "common/span.h"

#define GK_MD5_BYTES   16u
#define GK_CRC64_BYTES 8u

struct gk_md5;

/* NULL when memory is out. */
struct gk_md5 *gk_md5_new(void) GK_MUST_USE;
void gk_md5_free(struct gk_md5 *md5); /* NULL is fine */
void gk_md5_update(struct gk_md5 *md5, struct gk_span bytes);
void gk_md5_final(struct gk_md5 *md5, uint8_t out[GK_MD5_BYTES]);

/* Starts with 0; crc of the bytes so far, and of bytes after them. */
uint64_t gk_crc64_update(uint64_t crc, struct gk_span bytes);
/* As headers carry it: little endian. */
void gk_crc64_bytes(uint64_t crc, uint8_t out[GK_CRC64_BYTES]);

#endif
