/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/block_id.h"
#include "gateway/blob/data_keys.h"
#include "gateway/http/key_policy.h"
#include "gateway/reencrypt/run.h"

#define ATTEMPTS_MAX 16u /* each but the first because a client wrote the blob in between */
#define STARTS_MAX   3u  /* of a group, whose hold was lost */

/* --- what is too old ----------------------------------------------------------------------------*/

/* Groups of one blob that are left as they are. */
struct left_group {
    struct gk_id object;
    bool paged;
    bool damaged; /* else written again and again, by whoever */
};

struct left_groups {
    struct left_group *items;
    size_t count;
};

/* One look at a blob's records. */
struct survey {
    struct gk_regroup *group; /* filled with the first that is too old */
    const struct left_groups *left_groups;
    bool found;
    bool staged; /* blocks are, for the base */
    uint64_t records;
    struct gk_reencrypt_left left;
};

static bool is_too_old(const struct gk_regroup *group, const struct gk_blob_target *target)
{
    const struct gk_blob_record *record = &target->record;
    return target->exists && record->state != GK_BLOB_GONE &&
           record->history.kind != GK_STATE_LENT &&
           record->keyed_wall_ms < group->run->state.job.started_wall_ms;
}

static bool is_paged(const struct gk_blob_target *target)
{
    return target->record.kind.type == GK_BLOB_PAGE;
}

/* A deleted page blob may have lent its data key to the block blob over it: that is moved by itself. */
bool gk_regroup_has(const struct gk_regroup *group, const struct gk_blob_target *target)
{
    return is_too_old(group, target) && is_paged(target) == group->paged &&
           gk_id_equal(&target->record.object, &group->object);
}

/* Why it stays under the data key that it has; NULL: it need not. */
static uint64_t *reason_of(struct survey *survey, const struct gk_blob_target *target)
{
    const struct gk_blob_record *record = &target->record;
    const struct gk_blob_record *base = &survey->group->base->record;
    if (record->encryption.kind == GK_ENCRYPTION_CLIENT_KEY) {
        return &survey->left.client_keys;
    }
    if (record->copy.unfinished.status == GK_COPY_PENDING) {
        return &survey->left.pending;
    }
    if (record->state == GK_BLOB_UNCOMMITTED ||
        (survey->staged && gk_id_equal(&record->object, &base->object))) {
        return &survey->left.uncommitted;
    }
    for (size_t i = 0; i < survey->left_groups->count; i++) {
        const struct left_group *left = &survey->left_groups->items[i];
        if (left->paged == is_paged(target) && gk_id_equal(&left->object, &record->object)) {
            return left->damaged ? &survey->left.damaged : &survey->left.changing;
        }
    }
    return NULL;
}

/* The group of target's record, with a data key to come in place of its own. */
static enum gk_status begin_group(struct survey *survey, struct gk_blob_target *target,
                                  struct gk_error *error)
{
    struct gk_regroup *group = survey->group;
    const int64_t ordered_wall_ms = group->run->state.job.started_wall_ms;
    enum gk_status status = gk_blob_use_scope(group->request, target, error);
    if (status != GK_OK && status != GK_E_RESOURCE && status != GK_E_UNAVAILABLE &&
        target->record.encryption.kind == GK_ENCRYPTION_SCOPE) {
        gk_error_clear(error);
        survey->left.scopes++;
        return GK_OK;
    }
    if (status == GK_OK) {
        status =
            gk_blob_another_data_key(group->request, target, &group->anew, &group->data_key, error);
    }
    if (status == GK_OK) {
        group->object = target->record.object;
        group->paged = is_paged(target);
        if (group->anew.keyed_wall_ms <
            ordered_wall_ms) { /* another gateway's clock may be ahead */
            group->anew.keyed_wall_ms = ordered_wall_ms;
        }
        survey->found = true;
    }
    return status;
}

static enum gk_status look_at(struct survey *survey, struct gk_blob_target *target,
                              struct gk_error *error)
{
    survey->records += target->exists;
    if (!is_too_old(survey->group, target)) {
        return GK_OK;
    }
    uint64_t *reason = reason_of(survey, target);
    if (reason != NULL) {
        ++*reason;
        return GK_OK;
    }
    return begin_group(survey, target, error);
}

static enum gk_status look_for_staged(struct survey *survey, struct gk_error *error)
{
    const struct gk_regroup *group = survey->group;
    struct gk_buf mark;
    if (!group->base->exists) {
        return GK_OK;
    }
    gk_buf_init(&mark, GK_STAGED_BYTES_MAX);
    const enum gk_status status =
        gk_staging_mark_read(group->request, group->base, &survey->staged, &mark, error);
    gk_buf_cleanup(&mark);
    return status;
}

/* --- base and states ----------------------------------------------------------------------------*/

static enum gk_status each_state(struct gk_regroup *group, gk_regroup_record_fn *fn, void *ctx,
                                 bool *enough, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    uint64_t after = 0;
    bool more = group->base->record.history.newest > 0; /* else there are none */
    while (status == GK_OK && more && !*enough) {
        struct gk_states states = {0};
        status = gk_states_read(group->request, group->base, after, &states, error);
        for (size_t i = 0; status == GK_OK && i < states.count && !*enough; i++) {
            status = fn(ctx, &states.items[i], enough, error);
            after = states.items[i].time;
        }
        more = states.more;
        gk_states_cleanup(&states);
    }
    return status;
}

enum gk_status gk_regroup_each_state(struct gk_regroup *group, gk_regroup_record_fn *fn, void *ctx,
                                     struct gk_error *error)
{
    bool enough = false;
    return each_state(group, fn, ctx, &enough, error);
}

/* The base as it is read now, and then its states. */
static enum gk_status each_record(struct gk_regroup *group, gk_regroup_record_fn *fn, void *ctx,
                                  struct gk_error *error)
{
    bool enough = false;
    const enum gk_status status = fn(ctx, group->base, &enough, error);
    return status == GK_OK ? each_state(group, fn, ctx, &enough, error) : status;
}

static enum gk_status read_base(struct gk_regroup *group, struct gk_error *error)
{
    bool closed = false;
    return gk_blob_target_fetch(group->request, group->base, &closed, error);
}

static enum gk_status survey_record(void *ctx, struct gk_blob_target *target, bool *enough,
                                    struct gk_error *error)
{
    struct survey *survey = ctx;
    const enum gk_status status = look_at(survey, target, error);
    *enough = survey->found;
    return status;
}

static enum gk_status survey_blob(struct survey *survey, struct gk_error *error)
{
    enum gk_status status = read_base(survey->group, error);
    if (status == GK_OK) {
        status = look_for_staged(survey, error);
    }
    return status == GK_OK ? each_record(survey->group, survey_record, survey, error) : status;
}

static enum gk_status pour_record(void *ctx, struct gk_blob_target *target, bool *enough,
                                  struct gk_error *error)
{
    struct gk_regroup *group = ctx;
    (void)enough;
    return gk_regroup_has(group, target) ? gk_regroup_pour(group, target, error) : GK_OK;
}

/* --- a group ------------------------------------------------------------------------------------*/

/* What cannot be read because a client has replaced it meanwhile, and it was removed, is no damage. */
static enum gk_status explain_damage(struct gk_regroup *group, enum gk_status status,
                                     struct gk_error *error)
{
    struct gk_error why = {0};
    if (status != GK_E_INTEGRITY || read_base(group, &why) != GK_OK ||
        gk_span_equal(gk_buf_span(&group->poured), gk_buf_span(&group->base->stored))) {
        return status;
    }
    gk_error_clear(error);
    return gk_fail(error, GK_E_CONFLICT, "a blob was replaced while it was written anew");
}

static enum gk_status pour_all(struct gk_regroup *group, struct gk_error *error)
{
    const enum gk_status status = read_base(group, error);
    gk_buf_reset(&group->poured);
    gk_buf_append(&group->poured, group->base->stored.data, group->base->stored.len);
    return status == GK_OK ? each_record(group, pour_record, group, error) : status;
}

static enum gk_status pour_and_write(struct gk_regroup *group, struct gk_error *error)
{
    enum gk_status status =
        group->paged ? gk_regroup_pour_pages(group, error) : pour_all(group, error);
    if (status == GK_OK) {
        status = gk_regroup_write(group, error);
    }
    return explain_damage(group, status, error);
}

static enum gk_status move_group(struct gk_regroup *group, struct gk_error *error)
{
    struct gk_reencrypt_run *run = group->run;
    gk_buf_init(&group->poured, GK_MAP_VALUE_BYTES_MAX);
    enum gk_status status = gk_hold_begin(&group->hold, group->request, group->base, error);
    if (status == GK_OK && group->paged) {
        status = gk_regroup_begin_pages(group, error);
    }
    if (status != GK_OK) {
        return status;
    }
    status = GK_E_CONFLICT;
    for (unsigned i = 0; (status == GK_E_CONFLICT || status == GK_E_EXISTS) && i < ATTEMPTS_MAX;
         i++) {
        gk_error_clear(error);
        group->whole = i == 0;
        status = pour_and_write(group, error);
    }
    if (status == GK_OK) {
        run->state.counts.reencrypted += group->records;
        run->state.found += group->records;
    }
    return status;
}

static void end_group(struct gk_regroup *group)
{
    group->run->common.job.gateway->host->plugin->data_key_free(group->data_key);
    gk_hold_cleanup(&group->hold);
    gk_buf_cleanup(&group->poured);
    gk_moves_cleanup(&group->segments);
    gk_moves_cleanup(&group->manifests);
    gk_moves_cleanup(&group->pages);
}

/* --- the blob -----------------------------------------------------------------------------------*/

static void add_left(struct gk_reencrypt_run *run, const struct survey *survey)
{
    run->records += survey->records;
    gk_reencrypt_left_add(&run->left, &survey->left);
}

/* A client or another gateway has written meanwhile. Of what the container's name explains, too: one that was renamed,
 * or is kept without a name, is not gone. */
static bool is_conflict(enum gk_status status, const struct gk_error *error)
{
    return status == GK_E_CONFLICT || status == GK_E_EXISTS ||
           (status == GK_E_INVALID &&
            (error->http_status == 400 || error->http_status == 404 || error->http_status == 409));
}

static enum gk_status leave_group(struct left_groups *left, const struct gk_regroup *group,
                                  bool damaged, struct gk_error *error)
{
    struct left_group *items = reallocarray(left->items, left->count + 1, sizeof *items);
    if (items == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    left->items = items;
    items[left->count++] =
        (struct left_group){.object = group->object, .paged = group->paged, .damaged = damaged};
    gk_error_clear(error);
    return GK_OK;
}

/* In how many starts a conflict may end, and what is left because all did, or because it cannot be read. */
static enum gk_status move_or_leave(struct gk_regroup *group, struct left_groups *left,
                                    unsigned *starts, struct gk_error *error)
{
    const enum gk_status status = move_group(group, error);
    if (status == GK_E_INTEGRITY) {
        gk_log(GK_LOG_ERROR, "reencrypt", "account %s, container %s: %s",
               group->run->common.account->name, group->request->container, error->message);
    }
    if (is_conflict(status, error) && ++*starts < STARTS_MAX) {
        gk_error_clear(error);
        return GK_OK;
    }
    *starts = 0;
    return status == GK_E_INTEGRITY || is_conflict(status, error)
               ? leave_group(left, group, status == GK_E_INTEGRITY, error)
               : status;
}

/* The first of its groups that is too old, if one is. */
static enum gk_status step(struct gk_reencrypt_run *run, struct gk_request *request,
                           struct gk_blob_target *base, struct left_groups *left, unsigned *starts,
                           bool *found, struct gk_error *error)
{
    struct gk_regroup group = {.run = run, .request = request, .base = base};
    struct survey survey = {.group = &group, .left_groups = left};
    enum gk_status status = gk_key_policy_check(request, error);
    if (status == GK_OK) {
        status = survey_blob(&survey, error);
    }
    *found = survey.found;
    if (status == GK_OK && survey.found) {
        status = move_or_leave(&group, left, starts, error);
    } else if (status == GK_OK) {
        add_left(run, &survey);
    }
    end_group(&group);
    return status;
}

enum gk_status gk_reencrypt_blob(struct gk_reencrypt_run *run,
                                 const struct gk_scrub_container *container, uint32_t shard,
                                 struct gk_span name, struct gk_error *error)
{
    struct gk_request request = {.gateway = run->common.job.gateway,
                                 .account = run->common.account,
                                 .operation = GK_OP_BLOB_COPY_BLOB,
                                 .container = container->name};
    struct gk_blob_target base;
    struct left_groups left = {.count = 0};
    unsigned starts = 0;
    bool found = true;
    enum gk_status status = GK_OK;
    gk_blob_target_name(&base, &container->id, shard, name);
    while (status == GK_OK && found) {
        status = step(run, &request, &base, &left, &starts, &found, error);
    }
    free(left.items);
    gk_blob_target_cleanup(&base);
    if (is_conflict(status, error)) { /* while it was looked at */
        gk_error_clear(error);
        run->left.changing++;
        run->records++;
        return GK_OK;
    }
    return status;
}
