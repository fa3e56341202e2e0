/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a page object on its way has just the blocks from the first page that was written to the last. */
#include <stdlib.h>

#include "gateway/blob/page_piece.h"
#include "unit/cmocka_all.h"

static void test_find__has_what_was_written_and_no_more(void **state)
{
    (void)state;
    static const struct {
        uint32_t from; /* pages */
        uint32_t to;
        uint32_t first; /* blocks */
        uint32_t count;
    } cases[] = {
        {0, 1, 0, 1},
        {7, 8, 0, 1},
        {8, 9, 1, 1},
        {7, 9, 0, 2},
        {GK_PAGE_OBJECT_PAGES - 1, GK_PAGE_OBJECT_PAGES, GK_PAGE_OBJECT_BLOCKS - 1, 1},
        {0, GK_PAGE_OBJECT_PAGES, 0, GK_PAGE_OBJECT_BLOCKS},
    };
    struct gk_page_piece *piece = malloc(sizeof *piece);
    assert_non_null(piece);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gk_page_map map = {.made = 0};
        gk_bits_set(map.written, cases[i].from, cases[i].from + 1, true);
        gk_bits_set(map.written, cases[i].to - 1, cases[i].to, true);
        gk_page_piece_find(piece, &map);
        assert_int_equal(piece->first, cases[i].first);
        assert_int_equal(piece->count, cases[i].count);
    }
    free(piece);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find__has_what_was_written_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
