/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pending copies, a part at a time: the source is read in the gateway's own name, as who asked for the copy was
 * allowed to, and sealed under the copy's key into a segment, which one guarded write makes part of the copy's
 * record. So a copy goes on where it was, on whichever gateway, and what it has copied is freed with its record.
 *
 * Keys are asked for at every part, as they are for a Get Blob of the source and a Copy Blob into the blob. While
 * one of them is revoked, or its vault away for too long, the copy waits, and says so; for two weeks. A source
 * that is gone, or was changed since, fails it.
 *
 * A step belongs to one thread. Two gateways that take the same one do no harm: one of them has worked for nothing.
 */
#ifndef GATEWAY_BLOB_COPY_WORK_H
#define GATEWAY_BLOB_COPY_WORK_H

#include "gateway/blob/copy_list.h"
#include "gateway/blob/record.h"
#include "gateway/gateway.h"

/* What became of a copy by a step. */
enum gk_copy_turn {
    GK_COPY_TURN_MORE, /* there are more parts, or it was changed meanwhile: to be taken again */
    GK_COPY_TURN_WAIT, /* for a key, the store, or a container that may be restored */
    GK_COPY_TURN_OVER  /* it has come to its end, or never was: its row may go */
};

struct gk_copy_work {
    struct gk_gateway *gateway;
    bool (*stop)(void *ctx); /* whether to break off, asked every few chunks */
    void *stop_ctx;
};

/* Copies a part of what row tells of. */
enum gk_copy_turn gk_copy_work_step(const struct gk_copy_work *work, const struct gk_copy_row *row);

/* How many bytes the part has that begins at done, of a source of that size and type. */
uint64_t gk_copy_part_bytes(const struct gk_blob_record *source, uint64_t done);

#endif
