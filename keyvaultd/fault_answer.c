/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/fault_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

static const char *code_of(unsigned status)
{
    switch (status) {
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "KeyNotFound";
    case 429:
        return "Throttled";
    case 503:
        return "ServiceUnavailable";
    default:
        return status >= 500 ? "InternalServerError" : "BadParameter";
    }
}

void kv_fault_answer(const struct kv_fault *fault, struct kv_request *request)
{
    request->retry_after_s = fault->retry_after_s;
    json_t *body = fault->body[0] == '\0' ? NULL : json_loads(fault->body, 0, NULL);
    if (body != NULL) {
        kv_answer(request, fault->status, body);
    } else {
        kv_refuse(request, fault->status, code_of(fault->status), "", "A fault was asked for.");
    }
    snprintf(request->call.code, sizeof request->call.code, "Fault%u", fault->status);
}

/* Another version of the same form: the last digit differs. */
static void change_kid(json_t *holder)
{
    json_t *kid = json_object_get(holder, "kid");
    if (!json_is_string(kid) || json_string_length(kid) == 0) {
        return;
    }
    char *text = strdup(json_string_value(kid));
    if (text != NULL) {
        char *last = text + strlen(text) - 1;
        *last = *last == '0' ? '1' : '0';
        json_string_set(kid, text);
        free(text);
    }
}

static void change_length(json_t *answer, int step)
{
    json_t *value = json_object_get(answer, "value");
    struct gk_buf bytes;
    struct gk_buf text;
    gk_buf_init(&bytes, KV_BODY_BYTES_MAX);
    gk_buf_init(&text, 2 * KV_BODY_BYTES_MAX);
    if (json_is_string(value) &&
        gk_base64url_decode(&bytes, gk_span_str(json_string_value(value)))) {
        gk_buf_append_u8(&bytes, 0);
        const size_t len = bytes.len - 1;
        gk_base64url_encode(&text, gk_span_of(bytes.data, step < 0 && len > 0 ? len - 1 : len + 1));
        json_string_set(value, gk_buf_str(&text));
    }
    gk_buf_cleanup_wipe(&bytes);
    gk_buf_cleanup_wipe(&text);
}

void kv_fault_change(const struct kv_fault *fault, struct kv_request *request)
{
    if (request->status != 200 || request->answer == NULL) {
        return;
    }
    if (fault->action == KV_FAULT_WRONG_KID) {
        change_kid(request->answer);
        change_kid(json_object_get(request->answer, "key"));
    } else if (fault->action == KV_FAULT_SHORT_KEY) {
        change_length(request->answer, -1);
    } else if (fault->action == KV_FAULT_LONG_KEY) {
        change_length(request->answer, 1);
    }
}

/* --- bodies that are wrong on the wire ---------------------------------------------------------- */

struct cut {
    char *text;
    size_t len; /* how much of it is sent before the connection breaks */
};

static int64_t read_cut(void *ctx, uint64_t offset, uint8_t *out, size_t max)
{
    const struct cut *cut = ctx;
    if (offset >= cut->len) {
        return -1;
    }
    const size_t left = cut->len - (size_t)offset;
    const size_t len = left < max ? left : max;
    memcpy(out, cut->text + offset, len);
    return (int64_t)len;
}

static void free_cut(void *ctx)
{
    struct cut *cut = ctx;
    free(cut->text);
    free(cut);
}

static bool send_cut(struct kv_request *request)
{
    struct cut *cut = calloc(1, sizeof *cut);
    char *text = request->answer == NULL ? NULL : json_dumps(request->answer, JSON_COMPACT);
    if (cut == NULL || text == NULL) {
        free(cut);
        free(text);
        return false;
    }
    cut->text = text;
    cut->len = strlen(text) / 2;
    gk_http_answer_stream(request->exchange, request->status, strlen(text), read_cut, cut,
                          free_cut);
    return true;
}

static int64_t read_huge(void *ctx, uint64_t offset, uint8_t *out, size_t max)
{
    (void)ctx;
    static const char begin[] = "{\"value\":\"";
    memset(out, 'A', max);
    if (offset == 0 && max >= sizeof begin) {
        memcpy(out, begin, sizeof begin - 1);
    }
    return (int64_t)max;
}

static void free_nothing(void *ctx)
{
    (void)ctx;
}

static void send_garbage(struct kv_request *request)
{
    struct gk_buf body;
    gk_buf_init(&body, 64);
    gk_buf_append_str(&body, "<\x01\xfe]} no JSON {[\xff");
    gk_http_answer_buf(request->exchange, 200, &body);
    gk_buf_cleanup(&body);
}

bool kv_fault_sends(const struct kv_fault *fault, struct kv_request *request)
{
    if (fault->action != KV_FAULT_GARBAGE && fault->action != KV_FAULT_TRUNCATE &&
        fault->action != KV_FAULT_HUGE) {
        return false;
    }
    gk_http_answer_header(request->exchange, "Content-Type", "application/json; charset=utf-8");
    if (fault->action == KV_FAULT_GARBAGE) {
        send_garbage(request);
        return true;
    }
    if (fault->action == KV_FAULT_TRUNCATE) {
        return send_cut(request);
    }
    gk_http_answer_stream(request->exchange, 200, KV_FAULT_HUGE_BYTES, read_huge, NULL,
                          free_nothing);
    return true;
}
