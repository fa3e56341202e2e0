/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/scope_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "ctl/client.h"
#include "ctl/show.h"

#define NAME_BYTES_MAX 128u /* of an account and a scope: names are shorter */
#define WORD_BYTES_MAX 32u
#define TIME_S_MAX     1e11 /* what is beyond is no time of this gateway's */

#define REVOKED_SINCE     "gatekey_account_revoked_since_timestamp_seconds"
#define UNREACHABLE_SINCE "gatekey_account_unreachable_since_timestamp_seconds"

/* --- what /metrics tells ------------------------------------------------------------------------------*/

/* A series of a scope. */
struct series {
    char path[2 * NAME_BYTES_MAX];
    char word[WORD_BYTES_MAX]; /* of its further label */
    double value;
};

/* False: the line does not have it, or more than there is room for. */
static bool read_label(const char *line, size_t len, const char *label, char *out, size_t out_bytes)
{
    const char *begin = memmem(line, len, label, strlen(label));
    if (begin == NULL) {
        return false;
    }
    begin += strlen(label);
    const char *end = memchr(begin, '"', len - (size_t)(begin - line));
    if (end == NULL || (size_t)(end - begin) >= out_bytes) {
        return false;
    }
    memcpy(out, begin, (size_t)(end - begin));
    out[end - begin] = '\0';
    return true;
}

/* label: the further one, as it begins; "" for none. */
static bool read_series(const char *line, size_t len, const char *name, const char *label,
                        struct series *series)
{
    static const char before_value[] = "} ";
    char account[NAME_BYTES_MAX];
    char scope[NAME_BYTES_MAX];
    const size_t name_len = strlen(name);
    if (len <= name_len || strncmp(line, name, name_len) != 0 || line[name_len] != '{' ||
        !read_label(line, len, "{account=\"", account, sizeof account) ||
        !read_label(line, len, ",scope=\"", scope, sizeof scope)) {
        return false;
    }
    const char *value = memmem(line, len, before_value, sizeof before_value - 1);
    series->value = value == NULL ? 0 : strtod(value + sizeof before_value - 1, NULL);
    snprintf(series->path, sizeof series->path, "%s/%s", account, scope);
    series->word[0] = '\0';
    return label[0] == '\0' || read_label(line, len, label, series->word, sizeof series->word);
}

/* What there is of the scope so far, as of an account; NULL when memory is out. */
static json_t *scope_of(json_t *scopes, const char *path)
{
    json_t *scope = json_object_get(scopes, path);
    if (scope == NULL) {
        scope = json_pack("{s:s, s:{s:{s:s, s:[], s:b}}}", "name", path, "properties", "gatekey",
                          "state", "", "keyWarnings", "rotationPending", 0);
        json_object_set_new(scopes, path, scope);
    }
    return scope;
}

static json_t *key_of(json_t *scopes, const char *path)
{
    return json_object_get(json_object_get(scope_of(scopes, path), "properties"), "gatekey");
}

/* Those whose value 1 says yes. */
static bool read_word(const char *line, size_t len, const char *name, const char *label,
                      struct series *series)
{
    return read_series(line, len, name, label, series) && series->value >= 1;
}

static void set_time(json_t *gatekey, const char *member, double seconds)
{
    char text[GK_TIME_TEXT_BYTES];
    if (seconds > 0 && seconds < TIME_S_MAX) {
        gk_time_iso((int64_t)(seconds * 1000), text);
        json_object_set_new(gatekey, member, json_string(text));
    }
}

static void read_line(const char *line, size_t len, json_t *scopes)
{
    struct series series;
    if (read_word(line, len, "gatekey_account_state", ",state=\"", &series)) {
        json_object_set_new(key_of(scopes, series.path), "state", json_string(series.word));
    } else if (read_word(line, len, "gatekey_account_key_warning", ",warning=\"", &series)) {
        json_array_append_new(json_object_get(key_of(scopes, series.path), "keyWarnings"),
                              json_string(series.word));
    } else if (read_word(line, len, "gatekey_account_rotation_pending", "", &series)) {
        json_object_set_new(key_of(scopes, series.path), "rotationPending", json_true());
    } else if (read_series(line, len, REVOKED_SINCE, "", &series)) {
        set_time(key_of(scopes, series.path), "revokedSince", series.value);
    } else if (read_series(line, len, UNREACHABLE_SINCE, "", &series)) {
        set_time(key_of(scopes, series.path), "unreachableSince", series.value);
    }
}

/* ACCOUNT/SCOPE -> the scope, of all scopes. */
static json_t *read_scopes(const char *metrics)
{
    json_t *scopes = json_object();
    while (*metrics != '\0') {
        const size_t len = strcspn(metrics, "\n");
        read_line(metrics, len, scopes);
        metrics += len + (metrics[len] == '\n' ? 1 : 0);
    }
    return scopes;
}

/* --- beside the accounts ------------------------------------------------------------------------------*/

/* An account of a list whose record cannot be read has an error in the place of its properties. */
static void mark_unreadable(json_t *scope)
{
    const json_t *gatekey = json_object_get(json_object_get(scope, "properties"), "gatekey");
    if (strcmp(ctl_text_of(gatekey, "state"), "unreadable") == 0) {
        json_object_del(scope, "properties");
        json_object_set_new(scope, "error",
                            json_pack("{s:s, s:s}", "code", "EncryptionScopeUnreadable", "message",
                                      "its record cannot be read"));
    }
}

static bool has_news(const json_t *scope)
{
    const json_t *gatekey = json_object_get(json_object_get(scope, "properties"), "gatekey");
    return !ctl_is_readable(scope) || !ctl_key_is_healthy(scope) ||
           json_array_size(json_object_get(gatekey, "keyWarnings")) > 0 ||
           json_is_true(json_object_get(gatekey, "rotationPending"));
}

/* False: it is another account's. */
static bool is_of(const json_t *scope, const char *account)
{
    const char *path = ctl_text_of(scope, "name");
    const size_t len = strlen(account);
    return strncmp(path, account, len) == 0 && path[len] == '/';
}

static void add_to(json_t *account, json_t *scopes)
{
    json_t *told = json_array();
    const char *path = NULL;
    json_t *scope = NULL;
    json_object_foreach(scopes, path, scope)
    {
        if (is_of(scope, ctl_text_of(account, "name"))) {
            json_array_append(told, scope);
        }
    }
    if (json_array_size(told) > 0) {
        json_object_set(account, "encryptionScopes", told);
    }
    json_decref(told);
}

/* Keeps those that there is something to say of. */
static void keep_news(json_t *scopes)
{
    const char *path = NULL;
    json_t *scope = NULL;
    void *next = NULL;
    json_object_foreach_safe(scopes, next, path, scope)
    {
        mark_unreadable(scope);
        if (!has_news(scope)) {
            json_object_del(scopes, path);
        }
    }
}

int64_t ctl_scope_keys_read_s(const char *metrics)
{
    static const char series[] = "\ngatekey_accounts_read_timestamp_seconds ";
    const char *found = strstr(metrics, series);
    return found == NULL ? 0 : (int64_t)strtod(found + sizeof series - 1, NULL);
}

void ctl_scope_keys_take(const char *metrics, json_t *accounts)
{
    size_t index = 0;
    json_t *account = NULL;
    json_t *scopes = read_scopes(metrics);
    keep_news(scopes);
    json_array_foreach(accounts, index, account)
    {
        add_to(account, scopes);
    }
    json_decref(scopes);
}

enum ctl_exit ctl_scope_keys_add(const struct ctl_options *options, json_t *accounts, bool *known)
{
    struct ctl_reply reply;
    const enum ctl_exit code = ctl_exchange(options, "GET", "/metrics", NULL, &reply);
    const char *metrics = reply.status == 200 ? gk_buf_str(&reply.body) : "";
    const int64_t read_s = ctl_scope_keys_read_s(metrics);
    *known = read_s > 0;
    if (*known) {
        ctl_scope_keys_take(metrics, accounts);
    }
    if (*known && reply.date_s - read_s > CTL_SCOPE_KEYS_OLD_S) {
        fprintf(stderr,
                "gatekeyctl: the keys of encryption scopes are told as they were %lld minutes ago: "
                "the gateway's log says why they could not be read since\n",
                (long long)(reply.date_s - read_s) / 60);
    }
    if (code == CTL_OK && !*known) {
        fprintf(stderr,
                "gatekeyctl: how the keys of encryption scopes are is not known: /metrics gave "
                "status %ld %s and does not tell of them; try again, and see the gateway's log\n",
                reply.status, reply.reason);
    }
    ctl_reply_cleanup(&reply);
    return code;
}
