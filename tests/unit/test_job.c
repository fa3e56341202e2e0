/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: of a kind one job at a time runs; it stops when it is ordered to, by this process or by a row in the
 * store, and goes on from the state that it has left; a state that is not what was written is not taken for one.
 * Method: a job of turns that the test gives, over the embedded store.
 */
#include "gateway/job/job.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "unit/cmocka_all.h"
#include "unit/store_place.h"

#define OBJECT    "counting"
#define STATE_KEY "state"
#define TURNS     3u

struct counts {
    uint64_t turns;
};
static const struct gk_job_count count_names[] = {{"turns", offsetof(struct counts, turns)}};

struct counting {
    struct gk_job_run job;
    struct gk_job_state state;
    struct counts counts;
    struct world *world;
};

struct world {
    char directory[STORE_PLACE_BYTES];
    struct gk_gateway gateway;
    struct gk_job job;
    sem_t turns; /* that the job may take */
    unsigned freed;
    unsigned ended;
};

static struct counting *counting_of(struct gk_job_run *run)
{
    return (struct counting *)(void *)run;
}

static enum gk_status read_last(struct gk_job_run *run, struct gk_error *error)
{
    json_t *json = NULL;
    enum gk_status status =
        gk_job_row_read(run->gateway->store, OBJECT, STATE_KEY, 4096, &json, error);
    if (status == GK_OK && (!gk_job_state_parse(json, json, "paused", run->state) ||
                            !gk_job_counts_parse(json_object_get(json, "counts"), count_names, 1,
                                                 &counting_of(run)->counts))) {
        status = gk_fail(error, GK_E_INTEGRITY, "no state");
    }
    json_decref(json);
    return status;
}

static enum gk_status save(struct gk_job_run *run, struct gk_error *error)
{
    json_t *json = json_object();
    gk_job_state_show(run->state, "paused", json);
    gk_job_state_show_times(run->state, json);
    json_object_set_new(json, "counts",
                        gk_job_counts_json(count_names, 1, &counting_of(run)->counts));
    return gk_job_row_write(run->gateway->store, OBJECT, STATE_KEY, false, json, error);
}

static enum gk_status work(struct gk_job_run *run, struct gk_error *error)
{
    struct counting *counting = counting_of(run);
    enum gk_status status = GK_OK;
    while (status == GK_OK && counting->counts.turns < TURNS) {
        sem_wait(&counting->world->turns);
        run->save_mono_ms = 0; /* it is time to look for an order */
        status = gk_job_go_on(run, error);
        counting->counts.turns += status == GK_OK;
    }
    return status;
}

static void ended(struct gk_job_run *run)
{
    counting_of(run)->world->ended++;
}

static void free_run(struct gk_job_run *run)
{
    counting_of(run)->world->freed++;
    free(counting_of(run));
}

static const struct gk_job_kind kind = {
    .name = "counting",
    .lease = "lease/gateway.counting",
    .order_key = "order",
    .is_running = {"CountingIsRunning", "It is."},
    .is_done = {"CountingIsDone", "It is."},
    .not_found = {"CountingNotFound", "There was none."},
    .read = read_last,
    .save = save,
    .work = work,
    .ended = ended,
    .free = free_run,
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    assert_true(store_place_make(world->directory));
    world->gateway.clock = gk_clock_system();
    assert_int_equal(gk_store_embedded_open(world->directory, &world->gateway.store, NULL), GK_OK);
    assert_int_equal(sem_init(&world->turns, 0, 0), 0);
    gk_job_init(&world->job, &kind, &world->gateway);
    *state = world;
    return 0;
}

static void give_turns(struct world *world, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        sem_post(&world->turns);
    }
}

static int teardown(void **state)
{
    struct world *world = *state;
    give_turns(world, TURNS); /* whatever it has taken, it does not wait for more */
    gk_job_cleanup(&world->job);
    sem_destroy(&world->turns);
    gk_store_close(world->gateway.store);
    store_place_remove(world->directory);
    free(world);
    return 0;
}

static enum gk_status begin(struct world *world, bool resume, struct gk_error *error)
{
    struct counting *counting = calloc(1, sizeof *counting);
    assert_non_null(counting);
    counting->job.object = OBJECT;
    counting->job.state = &counting->state;
    counting->world = world;
    return gk_job_begin(&world->job, &counting->job, resume, error);
}

/* Waits for the end of what runs, as another begin would. */
static void join(struct world *world)
{
    gk_job_cleanup(&world->job);
    gk_job_init(&world->job, &kind, &world->gateway);
}

static struct counting check(struct world *world)
{
    struct counting shown = {.world = world};
    shown.job = (struct gk_job_run){.object = OBJECT, .state = &shown.state};
    assert_int_equal(gk_job_check(&world->job, &shown.job, NULL), GK_OK);
    return shown;
}

static void assert_refused(enum gk_status got, enum gk_status status, int http, const char *code,
                           const struct gk_error *error)
{
    assert_int_equal(got, status);
    assert_int_equal(error->http_status, http);
    assert_string_equal(error->code, code);
}

static void test_job__runs_to_its_end_once(void **state)
{
    struct world *world = *state;
    struct gk_error error = {0};
    assert_refused(begin(world, true, &error), GK_E_NOT_FOUND, 404, "CountingNotFound", &error);
    assert_int_equal(begin(world, false, NULL), GK_OK);
    assert_int_equal(check(world).state.status, GK_JOB_RUNNING);
    assert_refused(begin(world, false, &error), GK_E_CONFLICT, 409, "CountingIsRunning", &error);
    give_turns(world, TURNS);
    while (check(world).state.status == GK_JOB_RUNNING) {
    }
    join(world);
    const struct counting looked = check(world);
    assert_int_equal(looked.state.status, GK_JOB_DONE);
    assert_int_equal(looked.counts.turns, TURNS);
    assert_true(looked.state.ended_wall_ms >= looked.state.started_wall_ms);
    assert_refused(begin(world, true, &error), GK_E_CONFLICT, 409, "CountingIsDone", &error);
    assert_int_equal(world->ended, 1);
    assert_int_equal(world->freed, 4);
}

static void test_job__stops_and_goes_on(void **state)
{
    struct world *world = *state;
    struct counting looked = {.world = world};
    assert_int_equal(begin(world, false, NULL), GK_OK);
    looked.job = (struct gk_job_run){.object = OBJECT, .state = &looked.state};
    assert_int_equal(gk_job_stop(&world->job, &looked.job, NULL), GK_OK);
    give_turns(world, 1);
    join(world);
    looked = check(world);
    assert_int_equal(looked.state.status, GK_JOB_STOPPED);
    assert_int_equal(looked.counts.turns, 0);
    assert_int_equal(world->ended, 0);

    const struct counting before = looked;
    assert_int_equal(begin(world, true, NULL), GK_OK);
    /* As through another gateway. */
    assert_int_equal(
        gk_job_order_write(world->gateway.store, OBJECT, kind.order_key, before.state.id, NULL),
        GK_OK);
    give_turns(world, 1);
    while (check(world).state.status == GK_JOB_RUNNING) {
    }
    join(world);
    assert_int_equal(check(world).state.status, GK_JOB_STOPPED);

    assert_int_equal(begin(world, true, NULL), GK_OK); /* which is rid of the order */
    give_turns(world, TURNS);
    while (check(world).state.status == GK_JOB_RUNNING) {
    }
    join(world);
    looked = check(world);
    assert_int_equal(looked.state.status, GK_JOB_DONE);
    assert_string_equal(looked.state.id, before.state.id);
    assert_int_equal(looked.state.started_wall_ms, before.state.started_wall_ms);
}

/* What a gateway that was killed leaves. */
static void test_job__tells_what_was_interrupted(void **state)
{
    struct world *world = *state;
    struct counting left = {.state = {.status = GK_JOB_RUNNING, .id = "left"}};
    left.job = (struct gk_job_run){.state = &left.state, .gateway = &world->gateway};
    assert_int_equal(save(&left.job, NULL), GK_OK);
    assert_int_equal(check(world).state.status, GK_JOB_INTERRUPTED);
    assert_int_equal(begin(world, true, NULL), GK_OK);
    assert_int_equal(check(world).state.status, GK_JOB_RUNNING);
}

static json_t *shown(void)
{
    const struct gk_job_state state = {.id = "id",
                                       .status = GK_JOB_STOPPED,
                                       .gateway = "host:1",
                                       .failure = "why",
                                       .started_wall_ms = 1,
                                       .updated_wall_ms = 2,
                                       .progress = 0.5};
    json_t *json = json_object();
    gk_job_state_show(&state, "paused", json);
    gk_job_state_show_times(&state, json);
    return json;
}

static void test_state__reads_back(void **state)
{
    (void)state;
    json_t *json = shown();
    struct gk_job_state again = {.rate = 7};
    assert_true(gk_job_state_parse(json, json, "paused", &again));
    assert_string_equal(again.id, "id");
    assert_int_equal(again.status, GK_JOB_STOPPED);
    assert_string_equal(again.gateway, "host:1");
    assert_string_equal(again.failure, "why");
    assert_int_equal(again.started_wall_ms, 1);
    assert_int_equal(again.updated_wall_ms, 2);
    assert_int_equal(again.ended_wall_ms, 0);
    assert_int_equal(again.rate, 7);
    assert_true(json_is_null(json_object_get(json, "ended")));
    assert_false(gk_job_state_parse(json, json, "stopped", &again));
    json_decref(json);
}

static void test_state__is_strict(void **state)
{
    (void)state;
    static const char *const members[] = {"id",       "status",    "gateway",   "failure",
                                          "progress", "startedMs", "updatedMs", "endedMs"};
    struct gk_job_state parsed = {.rate = 0};
    struct counts counts = {0};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *json = shown();
        json_object_del(json, members[i]);
        assert_false(gk_job_state_parse(json, json, "paused", &parsed));
        json_object_set_new(json, members[i], json_true());
        assert_false(gk_job_state_parse(json, json, "paused", &parsed));
        json_decref(json);
    }
    json_t *json = shown();
    json_object_set_new(json, "startedMs", json_integer(-1));
    assert_false(gk_job_state_parse(json, json, "paused", &parsed));
    assert_false(gk_job_counts_parse(json, count_names, 1, &counts));
    json_decref(json);
    assert_false(gk_job_state_parse(NULL, NULL, "paused", &parsed));
    assert_false(gk_job_counts_parse(NULL, count_names, 1, &counts));
}

#define JOB_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOB_TEST(test_job__runs_to_its_end_once),       JOB_TEST(test_job__stops_and_goes_on),
        JOB_TEST(test_job__tells_what_was_interrupted), cmocka_unit_test(test_state__reads_back),
        cmocka_unit_test(test_state__is_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
