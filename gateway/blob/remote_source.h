/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One GET of what a copy source on another host holds (copy_hosts.h: which may be asked). HTTPS with the
 * host's certificate verified, and nothing else: no redirect is followed, no proxy is used, and the address
 * that is really connected to is looked at first (common/address.h), so that no answer of a name service
 * leads elsewhere. The answer's head is bounded, its body has the length that the head tells, and a source
 * that is slow is given up.
 *
 * The answer comes as it is read: after open, its head is there and its body waits on the connection.
 *
 * A remote source belongs to its request's thread, which waits for it; GK_REMOTE_SOURCES_MAX are open at a
 * time, lest slow ones take all threads.
 */
#ifndef GATEWAY_BLOB_REMOTE_SOURCE_H
#define GATEWAY_BLOB_REMOTE_SOURCE_H

#include "gateway/blob/copy_hosts.h"
#include "gateway/blob/copy_source.h"

#define GK_REMOTE_SOURCES_MAX 32u
#define GK_REMOTE_HEAD_BYTES  (32u << 10)
#define GK_REMOTE_BYTES_PER_S (16u << 10) /* less than that is slow */

struct gk_remote_source;

/* Once, before any thread uses it; and at the end. */
enum gk_status gk_remote_source_start(struct gk_error *error) GK_MUST_USE;
void gk_remote_source_end(void);

/*
 * Sends own, a GET of url with own's headers, and waits for the answer's head. 503 ServerBusy: too many are
 * open. CannotVerifyCopySource with 403: the host is at an address that it must not have; with 500: nothing
 * answered. Neither url nor headers get into a text.
 */
enum gk_status gk_remote_source_open(const struct gk_request *own, const struct gk_copy_host *host,
                                     const char *url, struct gk_remote_source **out,
                                     struct gk_error *error) GK_MUST_USE;
/* NULL is fine. */
void gk_remote_source_close(struct gk_remote_source *source);

unsigned gk_remote_source_status(const struct gk_remote_source *source);
/* Those with a printable value; they live as long as the source. */
const struct gk_pair *gk_remote_source_headers(const struct gk_remote_source *source,
                                               size_t *count);

/* Hands the body to take, piece by piece. CannotVerifyCopySource with 500: it broke off, or is slow. */
enum gk_status gk_remote_source_pour(struct gk_remote_source *source, struct gk_request *request,
                                     gk_copy_take_fn *take, struct gk_error *error) GK_MUST_USE;

#endif
