/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What List Containers, List Blobs and Find Blobs by Tags have in common (Storage REST reference,
 * "Enumerating blob resources"): what the query asks for, the page of results that is being written, and the marker
 * that the next page begins with.
 *
 * A page ends at the results that were asked for, or at GK_LIST_PAGE_BYTES of XML, whichever comes
 * first; the reference allows fewer results than were asked for. Memory of a request is a page, of
 * GK_LIST_PAGE_BYTES_MAX at most, and a gk_list_merge.
 *
 *   marker   base64url of: version 1 | scope 16 | key      the page begins after that key
 *
 * The scope is the id of the account or container that is listed: a marker is good nowhere else.
 */
#ifndef GATEWAY_BLOB_LIST_PAGE_H
#define GATEWAY_BLOB_LIST_PAGE_H

#include "gateway/blob/record.h"
#include "gateway/blob/xml.h"
#include "gateway/http/request.h"

#define GK_LIST_PAGE_BYTES     (8u << 20)
#define GK_LIST_PAGE_BYTES_MAX (GK_LIST_PAGE_BYTES + (1u << 20)) /* with the result that fills it */

/* Where a page can end: in a map, or in a container's map within an account. */
#define GK_LIST_AFTER_BYTES_MAX (2u * GK_MAP_KEY_BYTES_MAX)

struct gk_list_include {
    const char *name;
    unsigned flag; /* 0: accepted, but there is never anything to show */
};

struct gk_list_page {
    const struct gk_request *request;
    const char *max_results; /* query parameters as sent; NULL when not */
    const char *marker;
    uint32_t results_max;
    unsigned include; /* flags */
    struct gk_id scope;
    struct gk_buf prefix; /* of map keys: kind of key, and the parameter prefix */
    struct gk_buf after;  /* the last key that was shown or passed over; "" at the start */
    uint32_t results;
    bool more; /* there is something after it */
    struct gk_buf body;
    struct gk_xml_writer xml;
};

/*
 * Reads prefix, marker, maxresults and include; kind is what the map keys begin with, known ends
 * with a NULL name. 400 InvalidQueryParameterValue, OutOfRangeQueryParameterValue. cleanup is always
 * fine afterwards.
 */
enum gk_status gk_list_page_init(struct gk_list_page *page, const struct gk_request *request,
                                 const char *kind, const struct gk_id *scope,
                                 const struct gk_list_include *known,
                                 struct gk_error *error) GK_MUST_USE;
void gk_list_page_cleanup(struct gk_list_page *page);

/* Writes all that comes before the results. container, delimiter: NULL where there is none; element
 * is what holds the results. */
void gk_list_page_begin(struct gk_list_page *page, const char *container, const char *delimiter,
                        const char *element);
/* The same of a search. */
void gk_list_page_begin_search(struct gk_list_page *page, const char *where);
/* Asked with a further result at hand: whether it must wait for the next page. */
bool gk_list_page_full(struct gk_list_page *page);
/* Everything up to key was shown or is not to be. */
void gk_list_page_pass(struct gk_list_page *page, struct gk_span key);
void gk_list_page_metadata(struct gk_list_page *page, const struct gk_metadata *metadata);
void gk_list_page_lease(struct gk_list_page *page, const struct gk_lease *lease);
/* When it was deleted, and for how many days more it is kept, begun ones included. */
void gk_list_page_deleted(struct gk_list_page *page, int64_t deleted_wall_ms,
                          int64_t kept_until_wall_ms);
/* Writes the rest and responds. */
enum gk_status gk_list_page_end(struct gk_list_page *page, struct gk_request *request,
                                struct gk_error *error) GK_MUST_USE;

#endif
