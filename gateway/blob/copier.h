/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who makes pending copies (copy_pend.h) come true: a few threads of each gateway, which go through the list of
 * them (copy_list.h) when one is added here, and every few seconds. What is to be done stands in the store, so a
 * gateway that ends loses nothing: it, or another one, goes on with the next part.
 *
 * The list is in slots, by the copies' ids; a thread holds a slot's lease while it works on a copy of it, and some
 * parts later passes on to the next copy. So a copy is made by one gateway at a time, and none waits for the end of
 * others.
 */
#ifndef GATEWAY_BLOB_COPIER_H
#define GATEWAY_BLOB_COPIER_H

#include "gateway/gateway.h"

#define GK_COPIER_THREADS_MAX 16u

struct gk_copier;

/* threads: 0 for a gateway that leaves pending copies to others. gateway must outlive it. */
enum gk_status gk_copier_start(struct gk_gateway *gateway, uint32_t threads, struct gk_copier **out,
                               struct gk_error *error) GK_MUST_USE;
/* Breaks off the parts under way, of which nothing is kept. NULL is fine. */
void gk_copier_stop(struct gk_copier *copier);
/* A copy was added to the list. Any thread. */
void gk_copier_note(struct gk_copier *copier);

#endif
