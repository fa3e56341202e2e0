/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/auth/sas.h"

#include <arpa/inet.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/auth/delegation.h"
#include "gateway/auth/sas_text.h"
#include "gateway/auth/signature.h"
#include "gateway/blob/target.h"

#define VERSION_FIRST 20150405

/* --- what a signature allows --------------------------------------------------------------------*/

/* Each by a field of the signature or by the stored access policy that it names, and not by both. */
struct terms {
    int64_t start_wall_ms;
    int64_t expiry_wall_ms;
    const char *permissions;
    struct gk_acl acl; /* what they point into */
};

static enum gk_status not_valid(struct gk_error *error, const char *why)
{
    return gk_refuse_because(error, 403, "AuthenticationFailed", "%s", why);
}

/* policy NULL: none is named. */
static enum gk_status read_time(const struct gk_request *request, const char *name,
                                const int64_t *policy, int64_t *wall_ms, struct gk_error *error)
{
    const char *text = gk_sas_field(request, name);
    *wall_ms = policy == NULL ? GK_ACL_NO_TIME : *policy;
    if (text[0] == '\0') {
        return GK_OK;
    }
    if (*wall_ms != GK_ACL_NO_TIME) {
        return not_valid(error, "A time stands in the signature and in its policy.");
    }
    return gk_time_iso_parse(text, wall_ms) ? GK_OK : not_valid(error, "A time is none.");
}

/* The policies are read from the container's record each time: one that was withdrawn ends at once. */
static enum gk_status load_acl(struct gk_request *request, struct gk_acl *acl,
                               struct gk_error *error)
{
    struct gk_container_target container;
    enum gk_status status = gk_container_target_load(request, &container, error);
    if (status == GK_OK) {
        *acl = container.container.acl;
    } else if (status == GK_E_INVALID) { /* there is none, so there are no policies */
        gk_error_clear(error);
        status = GK_OK;
    }
    gk_container_target_cleanup(&container);
    return status;
}

static enum gk_status find_policy(struct gk_request *request, struct gk_acl *acl,
                                  const struct gk_stored_policy **policy, struct gk_error *error)
{
    const char *id = gk_request_query(request, "si");
    *policy = NULL;
    if (id == NULL) {
        return GK_OK;
    }
    const enum gk_status status = load_acl(request, acl, error);
    if (status != GK_OK) {
        return status;
    }
    *policy = gk_acl_find(acl, id);
    return *policy != NULL ? GK_OK : not_valid(error, "The policy that si names is not there.");
}

static enum gk_status read_terms(struct gk_request *request, struct terms *terms,
                                 struct gk_error *error)
{
    const struct gk_stored_policy *policy = NULL;
    *terms = (struct terms){.permissions = gk_sas_field(request, "sp")};
    enum gk_status status = find_policy(request, &terms->acl, &policy, error);
    if (status == GK_OK) {
        status = read_time(request, "st", policy == NULL ? NULL : &policy->start_wall_ms,
                           &terms->start_wall_ms, error);
    }
    if (status == GK_OK) {
        status = read_time(request, "se", policy == NULL ? NULL : &policy->expiry_wall_ms,
                           &terms->expiry_wall_ms, error);
    }
    if (status != GK_OK || policy == NULL || policy->permissions[0] == '\0') {
        return status;
    }
    if (terms->permissions[0] != '\0') {
        return not_valid(error, "Permissions stand in the signature and in its policy.");
    }
    terms->permissions = policy->permissions;
    return GK_OK;
}

static bool parse_ipv4(const char *text, size_t len, uint32_t *address)
{
    char copy[INET_ADDRSTRLEN] = {0};
    struct in_addr parsed;
    if (len >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, len);
    if (inet_pton(AF_INET, copy, &parsed) != 1) {
        return false;
    }
    *address = ntohl(parsed.s_addr);
    return true;
}

bool gk_sas_addresses_parse(const char *text, uint32_t *first, uint32_t *last)
{
    const char *dash = strchr(text, '-');
    const size_t first_len = dash == NULL ? strlen(text) : (size_t)(dash - text);
    const char *second = dash == NULL ? text : dash + 1;
    return parse_ipv4(text, first_len, first) && parse_ipv4(second, strlen(second), last);
}

static bool address_allowed(const char *allowed, const char *client)
{
    uint32_t first;
    uint32_t last;
    uint32_t address;
    return gk_sas_addresses_parse(allowed, &first, &last) &&
           parse_ipv4(client, strlen(client), &address) && address >= first && address <= last;
}

static uint32_t permissions_of(const char *letters)
{
    static const struct {
        char letter;
        uint32_t permission;
    } known[] = {
        {'r', GK_PERMIT_READ},           {'a', GK_PERMIT_ADD},
        {'c', GK_PERMIT_CREATE},         {'w', GK_PERMIT_WRITE},
        {'d', GK_PERMIT_DELETE},         {'l', GK_PERMIT_LIST},
        {'t', GK_PERMIT_TAGS},           {'f', GK_PERMIT_FILTER},
        {'i', GK_PERMIT_IMMUTABILITY},   {'y', GK_PERMIT_PERMANENT_DELETE},
        {'x', GK_PERMIT_DELETE_VERSION},
    };
    uint32_t permissions = 0;
    for (; *letters != '\0'; letters++) {
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            permissions |= known[i].letter == *letters ? known[i].permission : 0;
        }
    }
    return permissions;
}

/* Without a start it has begun; without an end it never was any good. */
static enum gk_status check_common(const struct gk_request *request, const struct terms *terms,
                                   struct gk_error *error)
{
    if (terms->start_wall_ms > request->received_wall_ms ||
        terms->expiry_wall_ms <= request->received_wall_ms) {
        return not_valid(error, "Signature not valid in the specified time frame.");
    }
    const char *addresses = gk_sas_field(request, "sip");
    if (addresses[0] != '\0' && !address_allowed(addresses, request->client_address)) {
        return gk_refuse(error, 403, "AuthorizationSourceIPMismatch");
    }
    if (strcmp(gk_sas_field(request, "spr"), "https") == 0 && !request->tls) {
        return gk_refuse(error, 403, "AuthorizationProtocolMismatch");
    }
    return GK_OK;
}

static enum gk_status check_account(const struct gk_request *request, struct gk_error *error)
{
    const int level = request->container[0] == '\0' ? 's' : request->blob[0] == '\0' ? 'c' : 'o';
    const bool is_batch = request->operation == GK_OP_BLOB_BLOB_BATCH ||
                          request->operation == GK_OP_BLOB_BLOB_BATCH_CONTAINER;
    if (strchr(gk_sas_field(request, "ss"), 'b') == NULL) {
        return gk_refuse(error, 403, "AuthorizationServiceMismatch");
    }
    /* What a batch does is done by its parts, each of which is asked for its own. */
    return strchr(gk_sas_field(request, "srt"), level) == NULL && !is_batch
               ? gk_refuse(error, 403, "AuthorizationResourceTypeMismatch")
               : GK_OK;
}

/* A service SAS of a container reaches its blobs, alone and in batches, and lists them, no more. */
static enum gk_status check_service(struct gk_request *request, struct gk_error *error)
{
    const bool of_container = strcmp(gk_sas_field(request, "sr"), "c") == 0;
    if (request->container[0] == '\0' || (!of_container && request->blob[0] == '\0')) {
        return gk_refuse(error, 403, "AuthorizationResourceTypeMismatch");
    }
    if (request->blob[0] == '\0' && request->operation != GK_OP_BLOB_BLOB_BATCH_CONTAINER) {
        request->permissions &= GK_PERMIT_LIST | GK_PERMIT_FILTER | GK_PERMIT_TAGS;
    }
    return GK_OK;
}

static void take_overrides(struct gk_request *request)
{
    request->override_cache_control = gk_request_query(request, "rscc");
    request->override_content_disposition = gk_request_query(request, "rscd");
    request->override_content_encoding = gk_request_query(request, "rsce");
    request->override_content_language = gk_request_query(request, "rscl");
    request->override_content_type = gk_request_query(request, "rsct");
}

/* What it says of who may use it, or with what, and what is not looked at here. */
static bool has_restrictions(const struct gk_request *request)
{
    static const char *const names[] = {"skdutid", "sduoid", "srh", "srq"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (gk_request_query(request, names[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* allowed: what a signature can give at most, as who signed it may do that. */
static enum gk_status check_signature(const struct gk_request *request, int64_t version,
                                      uint32_t *allowed, struct gk_error *error)
{
    const bool of_account = gk_request_query(request, "ss") != NULL;
    const bool delegated = !of_account && gk_request_query(request, "skoid") != NULL;
    const enum gk_sas_kind kind = of_account  ? GK_SAS_OF_ACCOUNT
                                  : delegated ? GK_SAS_DELEGATED
                                              : GK_SAS_OF_SERVICE;
    enum gk_status status = GK_OK;
    struct gk_buf text;
    gk_buf_init(&text, GK_SAS_TEXT_BYTES_MAX);
    gk_sas_text(request, kind, version, &text);
    if (gk_buf_status(&text) != GK_OK || (delegated && has_restrictions(request))) {
        status = not_valid(error, "It has fields that are too long, or that are not served.");
    } else if (delegated) {
        status = gk_delegation_check(request, gk_buf_span(&text), allowed, error);
    } else if (!gk_signature_matches(request->account->keys, gk_buf_span(&text),
                                     gk_sas_field(request, "sig"))) {
        status = not_valid(error, "Signature did not match.");
    }
    gk_buf_cleanup(&text);
    return status;
}

/* A field that stands there twice: what is checked could be another than what is used. */
static bool has_twice(const struct gk_request *request)
{
    static const char *const names[] = {
        "sv",  "ss",  "srt",  "sr",    "sp",    "st",   "se",       "sip",      "spr",   "si",
        "sig", "ses", "rscc", "rscd",  "rsce",  "rscl", "rsct",     "skoid",    "sktid", "skt",
        "ske", "sks", "skv",  "saoid", "suoid", "scid", "snapshot", "versionid"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t count = 0;
        for (size_t k = 0; k < request->query_count; k++) {
            count += strcasecmp(request->query[k].name, names[i]) == 0;
        }
        if (count > 1) {
            return true;
        }
    }
    return false;
}

enum gk_status gk_sas_check(struct gk_request *request, struct gk_error *error)
{
    const int64_t version = gk_service_version(gk_sas_field(request, "sv"));
    const char *resource = gk_sas_field(request, "sr");
    const bool of_account = gk_request_query(request, "ss") != NULL;
    if (has_twice(request)) {
        return not_valid(error, "A field of the signature stands there twice.");
    }
    if (version < VERSION_FIRST) {
        return gk_refuse_because(error, 403, "AuthenticationFailed", "sv is missing or too old.");
    }
    const bool delegated = gk_request_query(request, "skoid") != NULL;
    if ((of_account || delegated) && gk_request_query(request, "si") != NULL) {
        return not_valid(error, "Only a service SAS has a stored access policy.");
    }
    const char *parameter = gk_sas_state_parameter(resource);
    const bool of_state = parameter != NULL && gk_request_query(request, parameter) != NULL;
    if (!of_account && !of_state && strcmp(resource, "b") != 0 && strcmp(resource, "c") != 0) {
        return gk_refuse_because(error, 403, "AuthenticationFailed",
                                 "sr must be b, c, bs with a snapshot, or bv with a versionid.");
    }
    uint32_t allowed = GK_PERMIT_ALL;
    struct terms terms;
    enum gk_status status = check_signature(request, version, &allowed, error);
    if (status == GK_OK) {
        status = read_terms(request, &terms, error);
    }
    if (status == GK_OK) {
        status = check_common(request, &terms, error);
    }
    if (status == GK_OK) {
        request->permissions = permissions_of(terms.permissions) & allowed;
        status = of_account ? check_account(request, error) : check_service(request, error);
        take_overrides(request);
    }
    return status;
}
