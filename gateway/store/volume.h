/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volume files: where the embedded engine keeps bytes that are too many for the database.
 *
 * Space is given out by a pointer that only grows; a volume that is full is followed by one with the
 * lowest free number.
 * Freed extents are punched out of the file, so the file system has the space back and there is
 * nothing to compact; a volume without anything live is unlinked. What the database does not name
 * is garbage by definition: the sweep at start punches it, so a crash leaks nothing.
 *
 * Threads: all functions from any thread, gk_volumes_sweep() before any other.
 */
#ifndef GATEWAY_STORE_VOLUME_H
#define GATEWAY_STORE_VOLUME_H

#include "common/span.h"

struct gk_extent {
    uint32_t volume;
    uint64_t offset;
    uint64_t length; /* as asked for; the space is rounded up to whole blocks */
};

struct gk_volumes;

enum gk_status gk_volumes_open(const char *directory, struct gk_volumes **out,
                               struct gk_error *error) GK_MUST_USE;
void gk_volumes_close(struct gk_volumes *volumes);

/*
 * Live extents must come ordered by volume and offset; next returns GK_E_NOT_FOUND after the last. Any
 * other failure of it ends the sweep before anything is given back that it might still have named.
 * Ends with the write position behind everything that is live.
 */
typedef enum gk_status gk_extent_next_fn(void *ctx, struct gk_extent *extent,
                                         struct gk_error *error);
enum gk_status gk_volumes_sweep(struct gk_volumes *volumes, gk_extent_next_fn *next, void *ctx,
                                struct gk_error *error) GK_MUST_USE;

/* length > 0. The extent is live from now on. */
enum gk_status gk_volumes_allocate(struct gk_volumes *volumes, uint64_t length,
                                   struct gk_extent *extent, struct gk_error *error) GK_MUST_USE;
/* Writes at position bytes into the extent and starts write-back; not durable until synced. */
enum gk_status gk_volumes_write(struct gk_volumes *volumes, const struct gk_extent *extent,
                                uint64_t position, struct gk_span bytes,
                                struct gk_error *error) GK_MUST_USE;
/* Makes all that was written to the volume durable. */
enum gk_status gk_volumes_sync(struct gk_volumes *volumes, uint32_t volume,
                               struct gk_error *error) GK_MUST_USE;
enum gk_status gk_volumes_read(struct gk_volumes *volumes, const struct gk_extent *extent,
                               uint64_t position, uint8_t *buffer, size_t len,
                               struct gk_error *error) GK_MUST_USE;

/*
 * A reader holds this from looking extents up until it has read them; extents are only freed while
 * nobody holds it, so a reader never sees the zeros of a hole.
 */
void gk_volumes_hold(struct gk_volumes *volumes);
void gk_volumes_unhold(struct gk_volumes *volumes);
/* Gives extents back. Space that cannot be freed now is freed by the sweep of the next start. */
void gk_volumes_release(struct gk_volumes *volumes, const struct gk_extent *extents, size_t count);

#endif
