/* SPDX-License-Identifier: Apache-2.0 */
/* Directories for tests of the embedded engine. */
#ifndef TESTS_UNIT_STORE_PLACE_H
#define TESTS_UNIT_STORE_PLACE_H

#include <stdint.h>

#define STORE_PLACE_BYTES 256

/* Makes a new, empty directory below $TMPDIR (/tmp without it); false when it cannot be had. */
_Bool store_place_make(char path[STORE_PLACE_BYTES]);
/* Removes a directory, what is in it, and what is in its directories. */
void store_place_remove(const char *path);
/* What a directory and its directories occupy on the disk. */
uint64_t store_place_bytes(const char *path);

#endif
