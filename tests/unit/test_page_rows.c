/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: rows that are put into another space under the eras that they have had are read there as they were, by a
 * record that has that space. Method: a shard of a real store.
 */
#include "gateway/blob/page_rows.h"

#include <stdlib.h>

#include "gateway/blob/index.h"
#include "unit/cmocka_all.h"
#include "unit/list_fixture.h"

#define ROWS  3u
#define GROUP 1u

static const uint32_t eras[ROWS] = {0, 2, 5};
static const struct gk_id space_id = {{1, 2, 3}};

/* The record of a page blob in era 6, whose group was written in era 5. */
static void begin(struct list_fixture *fixture, struct gk_blob_target *target,
                  struct gk_page_space *space)
{
    const struct gk_request request = {.gateway = &fixture->gateway, .account = &fixture->account};
    const struct gk_id container = list_container_id("disks");
    list_add_container(fixture, "disks", NULL);
    list_add_blobs(fixture, "disks", (const char *[]){"disk", NULL});
    gk_blob_target_name(target, &container, 0, gk_span_str("disk"));
    target->record.kind.type = GK_BLOB_PAGE;
    target->record.kind.space = space_id;
    gk_bits_set(target->record.kind.groups, GROUP, GROUP + 1, true);
    target->record.eras.era = 6;
    target->record.eras.groups[GROUP] = 5;
    gk_page_space_init(space, &request, target);
}

static struct gk_page_row row_of(uint32_t number, struct gk_page_ages *ages)
{
    struct gk_page_row row = {.index = GROUP * GK_PAGE_GROUP_OBJECTS + 7 * number,
                              .era = eras[number],
                              .map = {.object = {{(uint8_t)(number + 1)}}, .made = eras[number]}};
    *ages = (struct gk_page_ages){{0}};
    gk_bits_set(row.map.written, number, number + 2, true);
    ages->eras[number] = ages->eras[number + 1] = eras[number];
    return row;
}

static void put(const struct gk_page_space *space, struct gk_page_ages *ages)
{
    struct gk_change_list changes;
    struct gk_page_group *group = calloc(1, sizeof *group);
    assert_non_null(group);
    gk_changes_init(&changes);
    for (uint32_t i = 0; i < ROWS; i++) {
        const struct gk_page_row row = row_of(i, ages);
        const uint32_t at = row.index % GK_PAGE_GROUP_OBJECTS;
        gk_bits_set(group->present, at, at + 1, true);
        group->eras[at] = row.era;
        assert_int_equal(gk_page_row_set(space, &row, row.era == 0 ? NULL : ages, &changes, NULL),
                         GK_OK);
    }
    assert_int_equal(gk_page_group_set(space, GROUP, 5, group, &changes, NULL), GK_OK);
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = space->index,
                                   .changes = changes.items,
                                   .changes_count = changes.count};
    assert_int_equal(gk_store_write(space->store, &op, NULL, NULL), GK_OK);
    gk_changes_cleanup(&changes);
    free(group);
}

static void test_rows__are_read_where_they_were_put(void **state)
{
    struct gk_blob_target target;
    struct gk_page_space space;
    struct gk_page_ages *expected = calloc(1, sizeof *expected);
    struct gk_page_rows rows = {.items = calloc(GK_PAGE_ROWS_MAX, sizeof *rows.items),
                                .ages = calloc(GK_PAGE_ROWS_MAX, sizeof *rows.ages)};
    uint32_t index = 0;
    begin(*state, &target, &space);
    put(&space, expected);
    assert_int_equal(gk_page_rows_next(&space, &index, UINT32_MAX / 2, &rows, NULL), GK_OK);
    assert_int_equal(rows.group, GROUP);
    assert_int_equal(rows.count, ROWS);
    for (uint32_t i = 0; i < ROWS; i++) {
        const struct gk_page_row row = row_of(i, expected);
        assert_int_equal(rows.items[i].index, row.index);
        assert_int_equal(rows.items[i].era, row.era);
        assert_memory_equal(&rows.items[i].map, &row.map, sizeof row.map);
        assert_memory_equal(&rows.ages[i], expected, sizeof *expected);
    }
    free(rows.items);
    free(rows.ages);
    free(expected);
    gk_blob_target_cleanup(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows__are_read_where_they_were_put, list_fixture_setup,
                                        list_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
