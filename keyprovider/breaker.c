/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/breaker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "keyprovider/pause.h"

struct gk_kv_breaker {
    struct gk_kv_breaker *next;
    char vault_uri[GK_VAULT_URI_BYTES_MAX];
    unsigned silences; /* in a row */
    unsigned probes;   /* since it opened */
    int64_t probe_ms;  /* of an open one: not to be asked before that */
    char code[sizeof((struct gk_vault_answer *)0)->code];
    char message[sizeof((struct gk_vault_answer *)0)->message];
};

static struct gk_kv_breaker *find(const struct gk_kv_breakers *breakers, const char *vault_uri)
{
    struct gk_kv_breaker *breaker = breakers->first;
    while (breaker != NULL && strcasecmp(breaker->vault_uri, vault_uri) != 0) {
        breaker = breaker->next;
    }
    return breaker;
}

static struct gk_kv_breaker *find_or_add(struct gk_kv_breakers *breakers, const char *vault_uri)
{
    struct gk_kv_breaker *breaker = find(breakers, vault_uri);
    if (breaker == NULL && (breaker = calloc(1, sizeof *breaker)) != NULL) {
        snprintf(breaker->vault_uri, sizeof breaker->vault_uri, "%s", vault_uri);
        breaker->next = breakers->first;
        breakers->first = breaker;
    }
    return breaker;
}

static bool is_open(const struct gk_kv_breaker *breaker)
{
    return breaker != NULL && breaker->silences >= GK_KV_BREAKER_SILENCES;
}

static int64_t pause_ms(const struct gk_kv_breaker *breaker)
{
    return gk_kv_pause_ms(GK_KV_BREAKER_PAUSE_FIRST_MS, GK_KV_BREAKER_PAUSE_MAX_MS,
                          breaker->probes);
}

int64_t gk_kv_breaker_ask(struct gk_kv_breakers *breakers, const char *vault_uri, int64_t now_ms,
                          int64_t probe_by_ms)
{
    struct gk_kv_breaker *breaker = find(breakers, vault_uri);
    if (!is_open(breaker)) {
        return now_ms;
    }
    if (now_ms < breaker->probe_ms) {
        return breaker->probe_ms;
    }
    if (now_ms > probe_by_ms) {
        return INT64_MAX;
    }
    breaker->probes++;
    breaker->probe_ms = now_ms + pause_ms(breaker); /* should nothing be heard of this one */
    return now_ms;
}

bool gk_kv_breaker_silent(struct gk_kv_breakers *breakers, const char *vault_uri, int64_t now_ms,
                          const char *code, const char *message)
{
    struct gk_kv_breaker *breaker = find_or_add(breakers, vault_uri);
    if (breaker == NULL) {
        return false;
    }
    const bool was_open = is_open(breaker);
    snprintf(breaker->code, sizeof breaker->code, "%s", code);
    snprintf(breaker->message, sizeof breaker->message, "%s", message);
    breaker->silences++;
    if (is_open(breaker)) {
        breaker->probe_ms = now_ms + pause_ms(breaker);
    }
    return is_open(breaker) && !was_open;
}

bool gk_kv_breaker_answered(struct gk_kv_breakers *breakers, const char *vault_uri)
{
    struct gk_kv_breaker *breaker = find(breakers, vault_uri);
    const bool was_open = is_open(breaker);
    if (breaker != NULL) {
        breaker->silences = 0;
        breaker->probes = 0;
    }
    return was_open;
}

void gk_kv_breaker_reason(const struct gk_kv_breakers *breakers, const char *vault_uri,
                          struct gk_vault_answer *answer)
{
    const struct gk_kv_breaker *breaker = find(breakers, vault_uri);
    if (breaker != NULL) {
        memcpy(answer->code, breaker->code, sizeof answer->code);
        memcpy(answer->message, breaker->message, sizeof answer->message);
    }
}

void gk_kv_breakers_cleanup(struct gk_kv_breakers *breakers)
{
    while (breakers->first != NULL) {
        struct gk_kv_breaker *breaker = breakers->first;
        breakers->first = breaker->next;
        free(breaker);
    }
}
