/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The storage service's own CRC-64 (polynomial 0xad93d23594c93659, reflected, all ones before and after;
 * CRC-64/NVME in the catalogue of parametrised CRC algorithms), for which there is no packaged C library.
 */
#ifndef GATEWAY_BLOB_CRC64_H
#define GATEWAY_BLOB_CRC64_H

#include "common/span.h"

#define GK_CRC64_BYTES 8u

/* Starts with 0; crc of the bytes so far, and of bytes after them. */
uint64_t gk_crc64_update(uint64_t crc, struct gk_span bytes);
/* As headers carry it: little endian. */
void gk_crc64_bytes(uint64_t crc, uint8_t out[GK_CRC64_BYTES]);

#endif
