/* SPDX-License-Identifier: Apache-2.0 */
/* Ours: destroying accounts and blobs, with evidence, wherever accounts are filed. */
#include <stdio.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/account_shred.h"
#include "gateway/blob/blob_shred.h"
#include "gateway/blob/scopes.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/json_body.h"

#define DETAIL_BYTES 512u

/* --- an account ---------------------------------------------------------------------------------*/

/* There is no way back: the name stands in the path and in the body. */
static enum gk_status check_confirmed(const char *account, const json_t *body,
                                      struct gk_error *error)
{
    static const char *const names[] = {"confirm", NULL};
    const char *confirmed = NULL;
    enum gk_status status = gk_json_only(body, "", names, error);
    if (status == GK_OK) {
        status = gk_json_text(body, "", "confirm", &confirmed, error);
    }
    if (status == GK_OK && (confirmed == NULL || strcmp(confirmed, account) != 0)) {
        status = gk_json_refuse_value(error, "confirm is not the account's name.");
    }
    return status;
}

enum gk_status gk_manage_account_shred(struct gk_manage *manage, const struct gk_manage_path *path,
                                       const struct gk_manage_request *request,
                                       struct gk_manage_answer *answer, struct gk_error *error)
{
    json_t *body = NULL;
    json_t *evidence = NULL;
    enum gk_status status = gk_json_parse(request->body, &body, error);
    if (status == GK_OK) {
        status = check_confirmed(path->account, body, error);
    }
    json_decref(body);
    if (status == GK_OK) {
        status = gk_account_shred(manage->gateway, path->account, request->actor, &evidence, error);
    }
    return status == GK_OK ? gk_manage_answer_json(answer, 200, evidence, error) : status;
}

/* --- a blob -------------------------------------------------------------------------------------*/

static enum gk_status read_name(const json_t *body, struct gk_blob_name *name,
                                struct gk_error *error)
{
    static const char *const names[] = {"container", "blob", NULL};
    enum gk_status status = gk_json_only(body, "", names, error);
    if (status == GK_OK) {
        status = gk_json_text(body, "", "container", &name->container, error);
    }
    if (status == GK_OK) {
        status = gk_json_text(body, "", "blob", &name->blob, error);
    }
    return status == GK_OK && (name->container == NULL || name->blob == NULL)
               ? gk_json_refuse(error, "container and blob are required.")
               : status;
}

static json_t *objects_json(const struct gk_shredded_blob *shredded)
{
    json_t *list = json_array();
    for (size_t i = 0; i < shredded->objects_count; i++) {
        char id[GK_UUID_TEXT_BYTES];
        gk_id_format(&shredded->objects[i], id);
        json_array_append_new(list, json_string(id));
    }
    return list;
}

static json_t *root_keys_json(const char *account, const struct gk_shredded_blob *shredded)
{
    json_t *list = json_array();
    for (size_t i = 0; i < shredded->root_keys_count; i++) {
        const struct gk_shredded_root_key *key = &shredded->root_keys[i];
        char path[GK_ACCOUNT_PATH_BYTES_MAX];
        snprintf(path, sizeof path, "%s", account);
        if (key->scope[0] != '\0') {
            gk_scope_path(account, key->scope, path);
        }
        json_array_append_new(
            list, json_pack("{s:s, s:i}", "of", path, "generation", (int)key->generation));
    }
    return list;
}

static json_t *blob_evidence(const struct gk_manage *manage, const struct gk_blob_name *name,
                             const char *actor, const struct gk_shredded_blob *shredded)
{
    char verified[GK_TIME_TEXT_BYTES];
    gk_time_iso(gk_clock_wall_ms(&manage->gateway->clock), verified);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:I, s:I}", "account", name->account,
                     "container", name->container, "blob", name->blob, "actor", actor, "verified",
                     verified, "records", (json_int_t)shredded->records, "objects",
                     objects_json(shredded), "rootKeys", root_keys_json(name->account, shredded),
                     "lentTo", (json_int_t)shredded->lent, "borrowed",
                     (json_int_t)shredded->borrowed);
}

/* Who asks for what is not there is not told of. */
static void tell_blob(struct gk_manage *manage, const struct gk_manage_request *request,
                      const struct gk_blob_name *name, const struct gk_shredded_blob *shredded,
                      enum gk_status status, const struct gk_error *why)
{
    char detail[DETAIL_BYTES];
    const bool absent = why->http_status == 404 || status == GK_E_NOT_FOUND;
    if (status == GK_OK) {
        snprintf(detail, sizeof detail,
                 "%.63s/%.256s: %llu records are destroyed; a second read found none; %llu copies "
                 "have its data key",
                 name->container, name->blob, (unsigned long long)shredded->records,
                 (unsigned long long)(shredded->lent + shredded->borrowed));
        gk_manage_audit(manage, request, GK_AUDIT_BLOB_SHRED, name->account, detail);
    } else if (!absent) {
        gk_manage_audit_failure(manage, request, GK_AUDIT_BLOB_SHRED, name->account, status, why);
    }
}

enum gk_status gk_manage_blob_shred(struct gk_manage *manage, const struct gk_manage_path *path,
                                    const struct gk_manage_request *request,
                                    struct gk_manage_answer *answer, struct gk_error *error)
{
    json_t *body = NULL;
    struct gk_blob_name name = {.account = path->account};
    struct gk_shredded_blob shredded = {0};
    enum gk_status status = gk_json_parse(request->body, &body, error);
    if (status == GK_OK) {
        status = read_name(body, &name, error);
    }
    if (status == GK_OK) {
        status = gk_blob_shred(manage->gateway, &name, &shredded, error);
        tell_blob(manage, request, &name, &shredded, status, error);
    }
    if (status == GK_OK) {
        status = gk_manage_answer_json(
            answer, 200, blob_evidence(manage, &name, request->actor, &shredded), error);
    }
    gk_shredded_blob_cleanup(&shredded);
    json_decref(body);
    return status;
}
