/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/page_before.h"

#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/blob/states.h"
#include "gateway/gateway.h"
#include "gateway/http/route.h"

#define SCHEME_END "://"

/* --- its name -----------------------------------------------------------------------------------*/

static enum gk_status not_a_url(struct gk_error *error)
{
    return gk_refuse_because(error, 400, "InvalidHeaderValue",
                             "x-ms-previous-snapshot-url is the URL of a snapshot of this blob.");
}

/* Whether the route is of the blob that the request names. */
static bool is_this_blob(const struct gk_request *request, const struct gk_route *route)
{
    return strcmp(route->account, request->account_name) == 0 &&
           strcmp(route->container, request->container) == 0 &&
           strcmp(route->blob, request->blob) == 0;
}

/* texts has the parts of the URL, each with a NUL. */
static enum gk_status read_parts(const struct gk_request *request, char *texts, uint64_t *time,
                                 struct gk_error *error)
{
    char *host = strstr(texts, SCHEME_END);
    char *path = host == NULL ? NULL : strchr(host + strlen(SCHEME_END), '/');
    char *query = path == NULL ? NULL : strchr(path, '?');
    if (query == NULL) {
        return not_a_url(error);
    }
    *query++ = '\0';
    char *authority =
        strndup(host + strlen(SCHEME_END), (size_t)(path - host) - strlen(SCHEME_END));
    if (authority == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    struct gk_route route;
    bool named = false;
    if (gk_route_parse(&route, path, query, authority, request->gateway->blob_domain, error) ==
        GK_OK) {
        for (size_t i = 0; i < route.query_count && !named; i++) {
            named = strcasecmp(route.query[i].name, "snapshot") == 0 &&
                    is_this_blob(request, &route) &&
                    gk_state_time_parse(route.query[i].value, time);
        }
    }
    gk_route_cleanup(&route);
    free(authority);
    gk_error_clear(error);
    return named ? GK_OK : not_a_url(error);
}

static enum gk_status read_url(const struct gk_request *request, const char *url, uint64_t *time,
                               struct gk_error *error)
{
    char *texts = strdup(url);
    if (texts == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const enum gk_status status = read_parts(request, texts, time, error);
    free(texts);
    return status;
}

static enum gk_status read_name(const struct gk_request *request, uint64_t *time, bool *given,
                                struct gk_error *error)
{
    const char *snapshot = gk_request_query(request, "prevsnapshot");
    const char *url = gk_request_header(request, "x-ms-previous-snapshot-url");
    *given = snapshot != NULL || url != NULL;
    if (snapshot != NULL && (url != NULL || !gk_state_time_parse(snapshot, time))) {
        return gk_refuse_because(error, 400, "InvalidQueryParameterValue",
                                 "It is the time of a snapshot: prevsnapshot");
    }
    return url == NULL ? GK_OK : read_url(request, url, time, error);
}

/* --- itself -------------------------------------------------------------------------------------*/

static enum gk_status read_state(struct gk_request *request, const struct gk_blob_target *target,
                                 uint64_t time, struct gk_blob_target *before,
                                 struct gk_error *error)
{
    struct gk_blob_target base = {
        .container = target->container, .shard = target->shard, .kind = GK_STATE_SNAPSHOT};
    const struct gk_span key = gk_buf_span(&target->key);
    memcpy(base.index, target->index, sizeof base.index);
    gk_buf_init(&base.key, GK_MAP_KEY_BYTES_MAX);
    if (gk_is_state_key(key)) {
        gk_base_key(&base.key, key);
    } else {
        gk_buf_append(&base.key, key.data, key.len);
    }
    const enum gk_status status = gk_state_read(request, &base, time, before, error);
    gk_buf_cleanup(&base.key);
    return status == GK_OK && !before->committed ? gk_refuse(error, 409, "PreviousSnapshotNotFound")
                                                 : status;
}

enum gk_status gk_page_before_load(struct gk_request *request, const struct gk_blob_target *target,
                                   struct gk_blob_target *before, bool *given,
                                   struct gk_error *error)
{
    uint64_t time = 0;
    enum gk_status status = read_name(request, &time, given, error);
    if (status == GK_OK && *given) {
        status = read_state(request, target, time, before, error);
    }
    if (status != GK_OK || !*given) {
        return status;
    }
    if (target->kind == GK_STATE_SNAPSHOT && target->time < time) {
        return gk_refuse(error, 400, "PreviousSnapshotCannotBeNewer");
    }
    if (!gk_id_equal(gk_page_lineage(&before->record.kind),
                     gk_page_lineage(&target->record.kind))) {
        return gk_refuse(error, 409, "BlobOverwritten");
    }
    return before->record.eras.era > target->record.eras.era
               ? gk_refuse(error, 400, "PreviousSnapshotCannotBeNewer")
               : GK_OK;
}
