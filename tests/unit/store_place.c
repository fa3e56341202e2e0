/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/store_place.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_DIRECTORIES 8

static uint64_t counted_bytes;

_Bool store_place_make(char path[STORE_PLACE_BYTES])
{
    const char *base = getenv("TMPDIR");
    snprintf(path, STORE_PLACE_BYTES, "%s/gatekey-store-XXXXXX", base == NULL ? "/tmp" : base);
    return mkdtemp(path) != NULL;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)type;
    (void)ftw;
    return remove(path);
}

void store_place_remove(const char *path)
{
    (void)nftw(path, remove_entry, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS);
}

static int count_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)path;
    (void)type;
    (void)ftw;
    counted_bytes += (uint64_t)stat->st_blocks * 512;
    return 0;
}

uint64_t store_place_bytes(const char *path)
{
    counted_bytes = 0;
    (void)nftw(path, count_entry, OPEN_DIRECTORIES, FTW_PHYS);
    return counted_bytes;
}
