/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/denials.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway.h"
#include "gateway/manage/callers.h"

#define MINUTE_MS  60000
#define WHAT_BYTES 160u

/* A caller's minute. */
struct minute {
    struct minute *next;
    char actor[GK_CALLER_NAME_BYTES];
    int64_t begun_mono_ms;
    unsigned told;
    uint64_t counted; /* beyond those that were told */
    int64_t counted_since_wall_ms;
    char last[WHAT_BYTES]; /* of those that are counted */
};

struct gk_denials {
    const struct gk_gateway *gateway;
    pthread_mutex_t mutex;
    struct minute *minutes; /* one of a caller at most */
};

struct gk_denials *gk_denials_new(const struct gk_gateway *gateway)
{
    struct gk_denials *denials = calloc(1, sizeof *denials);
    if (denials != NULL) {
        denials->gateway = gateway;
        pthread_mutex_init(&denials->mutex, NULL);
    }
    return denials;
}

/* --- telling ------------------------------------------------------------------------------------ */

static void tell(const struct gk_denials *denials, struct gk_audit_event event)
{
    event.event = GK_AUDIT_MANAGE_DENIED;
    event.key_id = "";
    event.outcome = "refused";
    event.reason = "AuthorizationFailed";
    event.request_id = "";
    gk_plugin_host_audit(denials->gateway->host, &event);
}

static void tell_counted(const struct gk_denials *denials, const struct minute *minute)
{
    char detail[WHAT_BYTES + 16];
    snprintf(detail, sizeof detail, "the last: %s", minute->last);
    tell(denials, (struct gk_audit_event){.account = "",
                                          .actor = minute->actor,
                                          .detail = detail,
                                          .count = minute->counted,
                                          .since_wall_ms = minute->counted_since_wall_ms});
}

/* Takes them over. */
static void tell_and_free(const struct gk_denials *denials, struct minute *minutes)
{
    while (minutes != NULL) {
        struct minute *minute = minutes;
        minutes = minute->next;
        if (minute->counted > 0) {
            tell_counted(denials, minute);
        }
        free(minute);
    }
}

static struct minute *locked_take_over(struct gk_denials *denials, int64_t mono_ms)
{
    struct minute *over = NULL;
    struct minute **link = &denials->minutes;
    while (*link != NULL) {
        struct minute *minute = *link;
        if (mono_ms - minute->begun_mono_ms < MINUTE_MS) {
            link = &minute->next;
            continue;
        }
        *link = minute->next;
        minute->next = over;
        over = minute;
    }
    return over;
}

void gk_denials_tell_over(struct gk_denials *denials)
{
    const int64_t mono_ms = gk_clock_mono_ms(&denials->gateway->clock);
    pthread_mutex_lock(&denials->mutex);
    struct minute *over = locked_take_over(denials, mono_ms);
    pthread_mutex_unlock(&denials->mutex);
    tell_and_free(denials, over);
}

void gk_denials_free(struct gk_denials **denials)
{
    if (*denials == NULL) {
        return;
    }
    tell_and_free(*denials, (*denials)->minutes);
    pthread_mutex_destroy(&(*denials)->mutex);
    free(*denials);
    *denials = NULL;
}

/* --- one denial --------------------------------------------------------------------------------- */

/* NULL when memory is out. */
static struct minute *locked_find_or_begin(struct gk_denials *denials, const char *actor)
{
    struct minute *minute = denials->minutes;
    while (minute != NULL && strcmp(minute->actor, actor) != 0) {
        minute = minute->next;
    }
    if (minute == NULL && (minute = calloc(1, sizeof *minute)) != NULL) {
        snprintf(minute->actor, sizeof minute->actor, "%s", actor);
        minute->begun_mono_ms = gk_clock_mono_ms(&denials->gateway->clock);
        minute->next = denials->minutes;
        denials->minutes = minute;
    }
    return minute;
}

/* False: it is to be told. */
static bool locked_count(struct gk_denials *denials, const char *actor, const char *what)
{
    struct minute *minute = locked_find_or_begin(denials, actor);
    if (minute == NULL || minute->told < GK_DENIALS_EACH) {
        if (minute != NULL) {
            minute->told++;
        }
        return false;
    }
    if (minute->counted++ == 0) {
        minute->counted_since_wall_ms = gk_clock_wall_ms(&denials->gateway->clock);
    }
    snprintf(minute->last, sizeof minute->last, "%s", what);
    return true;
}

void gk_denials_note(struct gk_denials *denials, const char *actor, const char *account,
                     const char *what)
{
    gk_denials_tell_over(denials);
    pthread_mutex_lock(&denials->mutex);
    const bool counted = locked_count(denials, actor, what);
    pthread_mutex_unlock(&denials->mutex);
    if (!counted) {
        tell(denials, (struct gk_audit_event){.account = account, .actor = actor, .detail = what});
    }
}
