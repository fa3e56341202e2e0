/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storage Accounts: List Account SAS, List Service SAS. Nothing is listed: each makes a shared access signature with an
 * access key of the account, which does not leave the gateway. Of services there is Blob alone.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "gateway/auth/sas.h"
#include "gateway/auth/sas_text.h"
#include "gateway/auth/signature.h"
#include "gateway/blob/names.h"
#include "gateway/http/dispatch.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/json_body.h"

#define FIELDS_MAX       16u
#define TEXT_BYTES_MAX   1024u /* of a field */
#define POLICY_BYTES_MAX 64u   /* of the name of a stored access policy */
#define PLACE_BYTES_MAX  2048u

enum form { FORM_LETTERS, FORM_RESOURCE, FORM_TIME, FORM_ADDRESSES, FORM_PROTOCOLS, FORM_TEXT };

/* Of a signature, in the order in which they stand in it. */
struct field {
    const char *name;
    const char *member; /* of the request's body */
    enum form form;
    const char *letters; /* FORM_LETTERS: which there are */
};

/* Some are of other services, and open nothing here. */
#define PERMISSIONS "rwdlacuptfixy"

static const struct field account_fields[] = {
    {"ss", "signedServices", FORM_LETTERS, "bqtf"},
    {"srt", "signedResourceTypes", FORM_LETTERS, "sco"},
    {"sp", "signedPermission", FORM_LETTERS, PERMISSIONS},
    {"st", "signedStart", FORM_TIME, NULL},
    {"se", "signedExpiry", FORM_TIME, NULL},
    {"sip", "signedIp", FORM_ADDRESSES, NULL},
    {"spr", "signedProtocol", FORM_PROTOCOLS, NULL},
    {NULL, NULL, FORM_TEXT, NULL},
};

static const struct field service_fields[] = {
    {"sr", "signedResource", FORM_RESOURCE, NULL},
    {"sp", "signedPermission", FORM_LETTERS, PERMISSIONS},
    {"st", "signedStart", FORM_TIME, NULL},
    {"se", "signedExpiry", FORM_TIME, NULL},
    {"sip", "signedIp", FORM_ADDRESSES, NULL},
    {"spr", "signedProtocol", FORM_PROTOCOLS, NULL},
    {"si", "signedIdentifier", FORM_TEXT, NULL},
    {"rscc", "rscc", FORM_TEXT, NULL},
    {"rscd", "rscd", FORM_TEXT, NULL},
    {"rsce", "rsce", FORM_TEXT, NULL},
    {"rscl", "rscl", FORM_TEXT, NULL},
    {"rsct", "rsct", FORM_TEXT, NULL},
    {NULL, NULL, FORM_TEXT, NULL},
};

/* A signature that is being made. */
struct making {
    enum gk_sas_kind kind;
    struct gk_request like; /* of nobody: has what the signed text is made of */
    struct gk_pair pairs[FIELDS_MAX];
    char times[2][GK_TIME_TEXT_BYTES]; /* start and end, as they are signed */
    int64_t times_ms[2];
    char place[PLACE_BYTES_MAX]; /* container and blob */
    unsigned key;
};

/* --- the body ----------------------------------------------------------------------------------*/

static bool are_letters(const char *text, const char *letters)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (strchr(letters, *c) == NULL || strchr(c + 1, *c) != NULL) {
            return false;
        }
    }
    return text[0] != '\0';
}

/* Whole seconds, as the original signs them. */
static bool take_time(struct making *making, const char *name, const char **text)
{
    const size_t i = strcmp(name, "se") == 0;
    if (!gk_time_iso_parse(*text, &making->times_ms[i])) {
        return false;
    }
    gk_time_iso_second(making->times_ms[i], making->times[i]);
    *text = making->times[i];
    return true;
}

static enum gk_status take_field(struct making *making, const struct field *field, const char *text,
                                 struct gk_error *error)
{
    uint32_t first = 0;
    uint32_t last = 0;
    bool good = false;
    switch (field->form) {
    case FORM_LETTERS:
        good = are_letters(text, field->letters);
        break;
    case FORM_RESOURCE:
        good = strcmp(text, "b") == 0 || strcmp(text, "c") == 0;
        break;
    case FORM_TIME:
        good = take_time(making, field->name, &text);
        break;
    case FORM_ADDRESSES:
        good = gk_sas_addresses_parse(text, &first, &last) && first <= last;
        break;
    case FORM_PROTOCOLS:
        good = strcmp(text, "https") == 0 || strcmp(text, "https,http") == 0;
        break;
    default:
        good = text[0] != '\0' && gk_text_is_plain(text, TEXT_BYTES_MAX);
    }
    if (!good) {
        return gk_json_refuse_value(error, "%s is not as a signature has it.", field->member);
    }
    making->pairs[making->like.query_count++] = (struct gk_pair){field->name, text};
    return GK_OK;
}

static enum gk_status take_fields(struct making *making, const struct field *fields,
                                  const json_t *body, struct gk_error *error)
{
    making->pairs[making->like.query_count++] = (struct gk_pair){"sv", GK_SERVICE_VERSION};
    for (; fields->name != NULL; fields++) {
        const char *text = NULL;
        enum gk_status status = gk_json_text(body, "", fields->member, &text, error);
        if (status == GK_OK && text != NULL) {
            status = take_field(making, fields, text, error);
        }
        if (status != GK_OK) {
            return status;
        }
    }
    return GK_OK;
}

static enum gk_status only_fields(const struct field *fields, const json_t *body,
                                  struct gk_error *error)
{
    const char *names[FIELDS_MAX + 1] = {"keyToSign", "canonicalizedResource"};
    size_t count = fields == service_fields ? 2 : 1;
    for (; fields->name != NULL; fields++) {
        names[count++] = fields->member;
    }
    names[count] = NULL;
    return gk_json_only(body, "", names, error);
}

static enum gk_status take_key(struct making *making, const json_t *body, struct gk_error *error)
{
    const char *name = NULL;
    const enum gk_status status = gk_json_text(body, "", "keyToSign", &name, error);
    if (status != GK_OK) {
        return status;
    }
    if (name != NULL && strcasecmp(name, "key1") != 0 && strcasecmp(name, "key2") != 0) {
        return gk_json_refuse_value(error, "keyToSign is neither key1 nor key2.");
    }
    making->key = name != NULL && name[3] == '2' ? 1 : 0;
    return GK_OK;
}

/* "/blob/account/container" or "/blob/account/container/blob", with '\\' as requests have it (http/route.c): '/'. */
static enum gk_status take_place(struct making *making, const json_t *body, struct gk_error *error)
{
    char prefix[128];
    bool present = false;
    const int prefix_len = snprintf(prefix, sizeof prefix, "/blob/%s/", making->like.account_name);
    const enum gk_status status = gk_json_copy(body, "", "canonicalizedResource", making->place,
                                               sizeof making->place, &present, error);
    if (status != GK_OK) {
        return status;
    }
    if (!present || strncmp(making->place, prefix, (size_t)prefix_len) != 0) {
        return gk_json_refuse_value(
            error, "canonicalizedResource is /blob/%s/ and a container, or a blob in one.",
            making->like.account_name);
    }
    for (char *c = making->place; *c != '\0'; c++) {
        if (*c == '\\') {
            *c = '/';
        }
    }
    char *container = making->place + prefix_len;
    char *slash = strchr(container, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    making->like.container = container;
    making->like.blob = slash == NULL ? "" : slash + 1;
    const bool of_blob = strcmp(gk_sas_field(&making->like, "sr"), "b") == 0;
    return gk_container_name_valid(container) && of_blob == (slash != NULL) &&
                   (!of_blob || gk_blob_name_valid(making->like.blob))
               ? GK_OK
               : gk_json_refuse_value(
                     error, "canonicalizedResource is not of a container for signedResource c, or "
                            "not of a blob for b.");
}

/* --- what is demanded --------------------------------------------------------------------------*/

static bool has(const struct making *making, const char *name)
{
    return gk_sas_field(&making->like, name)[0] != '\0';
}

static enum gk_status check_needed(const struct making *making, struct gk_error *error)
{
    const bool of_account = making->kind == GK_SAS_OF_ACCOUNT;
    const bool by_policy = has(making, "si");
    if (of_account && (!has(making, "ss") || !has(making, "srt"))) {
        return gk_json_refuse_value(error,
                                    "signedServices or signedResourceTypes is missing; give both.");
    }
    if (!of_account && !has(making, "sr")) {
        return gk_json_refuse_value(error, "signedResource is missing; give b or c.");
    }
    if (!by_policy && (!has(making, "sp") || !has(making, "se"))) {
        return gk_json_refuse_value(error,
                                    "signedPermission or signedExpiry is missing; give both%s.",
                                    of_account ? "" : ", or signedIdentifier");
    }
    if (by_policy && strlen(gk_sas_field(&making->like, "si")) > POLICY_BYTES_MAX) {
        return gk_json_refuse_value(error, "signedIdentifier is longer than %u characters.",
                                    POLICY_BYTES_MAX);
    }
    return has(making, "st") && has(making, "se") && making->times_ms[0] >= making->times_ms[1]
               ? gk_json_refuse_value(error, "signedStart is not before signedExpiry.")
               : GK_OK;
}

static enum gk_status read_body(struct making *making, const json_t *body, struct gk_error *error)
{
    const struct field *fields =
        making->kind == GK_SAS_OF_ACCOUNT ? account_fields : service_fields;
    enum gk_status status = only_fields(fields, body, error);
    if (status == GK_OK) {
        status = take_fields(making, fields, body, error);
    }
    if (status == GK_OK) {
        status = take_key(making, body, error);
    }
    if (status == GK_OK) {
        status = check_needed(making, error);
    }
    return status == GK_OK && making->kind != GK_SAS_OF_ACCOUNT ? take_place(making, body, error)
                                                                : status;
}

/* --- the signature -----------------------------------------------------------------------------*/

static void append_fields(const struct making *making, struct gk_buf *out)
{
    for (size_t i = 0; i < making->like.query_count; i++) {
        gk_buf_printf(out, "%s%s=", i == 0 ? "" : "&", making->pairs[i].name);
        gk_percent_encode(out, gk_span_str(making->pairs[i].value), ",");
    }
}

static enum gk_status append_signature(const struct making *making,
                                       const struct gk_access_keys *keys, struct gk_buf *out,
                                       struct gk_error *error)
{
    uint8_t signature[GK_SIGNATURE_BYTES];
    struct gk_buf text;
    struct gk_buf encoded;
    gk_buf_init(&text, GK_SAS_TEXT_BYTES_MAX);
    gk_buf_init(&encoded, 2u * GK_SIGNATURE_BYTES);
    gk_sas_text(&making->like, making->kind, gk_service_version(GK_SERVICE_VERSION), &text);
    const bool made = gk_buf_status(&text) == GK_OK &&
                      gk_signature_make(gk_span_of(keys->key[making->key], GK_ACCESS_KEY_BYTES),
                                        gk_buf_span(&text), signature);
    if (made) {
        gk_base64_encode(&encoded, gk_span_of(signature, sizeof signature));
        gk_buf_append_str(out, "&sig=");
        gk_percent_encode(out, gk_buf_span(&encoded), "");
    }
    gk_wipe(signature, sizeof signature);
    gk_buf_cleanup_wipe(&encoded);
    gk_buf_cleanup(&text);
    return made && gk_buf_status(out) == GK_OK ? GK_OK
                                               : gk_fail(error, GK_E_RESOURCE, "out of memory");
}

/* Written by hand into a buffer that is wiped, as access keys are; nothing in it needs escaping. */
static enum gk_status answer_signature(const struct making *making,
                                       const struct gk_access_keys *keys,
                                       struct gk_manage_answer *answer, struct gk_error *error)
{
    gk_buf_printf(&answer->body, "{\"%s\":\"",
                  making->kind == GK_SAS_OF_ACCOUNT ? "accountSasToken" : "serviceSasToken");
    append_fields(making, &answer->body);
    const enum gk_status status = append_signature(making, keys, &answer->body, error);
    gk_buf_append_str(&answer->body, "\"}");
    answer->status = 200;
    answer->content_type = "application/json; charset=utf-8";
    return status;
}

/* What was given out, but for the signature itself. A blob may be named as fields are written. */
static void audit(struct gk_manage *manage, const struct gk_manage_path *path,
                  const struct gk_manage_request *request, const struct making *making)
{
    struct gk_buf detail;
    gk_buf_init(&detail, GK_SAS_TEXT_BYTES_MAX);
    gk_buf_printf(&detail, "key%u ", making->key + 1);
    if (making->kind != GK_SAS_OF_ACCOUNT) {
        gk_buf_printf(&detail, "%s%s", making->like.container,
                      making->like.blob[0] == '\0' ? "" : "/");
        gk_percent_encode(&detail, gk_span_str(making->like.blob), "/");
        gk_buf_append_str(&detail, " ");
    }
    append_fields(making, &detail);
    gk_manage_audit(manage, request, GK_AUDIT_ACCOUNT_SAS, path->account, gk_buf_str(&detail));
    gk_buf_cleanup(&detail);
}

static enum gk_status make_sas(struct gk_manage *manage, const struct gk_manage_path *path,
                               const struct gk_manage_request *request, enum gk_sas_kind kind,
                               struct gk_manage_answer *answer, struct gk_error *error)
{
    struct gk_managed_account managed;
    json_t *body = NULL;
    struct making making = {.kind = kind,
                            .like = {.account_name = path->account, .container = "", .blob = ""}};
    making.like.query = making.pairs;
    enum gk_status status = gk_managed_account_find(manage, path, &managed, error);
    if (status != GK_OK) {
        return status;
    }
    status = gk_json_parse(request->body, &body, error);
    if (status == GK_OK) {
        status = read_body(&making, body, error);
    }
    if (status == GK_OK) {
        status = answer_signature(&making, managed.account->keys, answer, error);
    }
    if (status == GK_OK) {
        audit(manage, path, request, &making);
    }
    json_decref(body);
    gk_managed_account_cleanup(&managed);
    return status;
}

enum gk_status gk_manage_list_account_sas(struct gk_manage *manage,
                                          const struct gk_manage_path *path,
                                          const struct gk_manage_request *request,
                                          struct gk_manage_answer *answer, struct gk_error *error)
{
    return make_sas(manage, path, request, GK_SAS_OF_ACCOUNT, answer, error);
}

enum gk_status gk_manage_list_service_sas(struct gk_manage *manage,
                                          const struct gk_manage_path *path,
                                          const struct gk_manage_request *request,
                                          struct gk_manage_answer *answer, struct gk_error *error)
{
    return make_sas(manage, path, request, GK_SAS_OF_SERVICE, answer, error);
}
