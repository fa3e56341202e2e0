/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a page blob in its container's index (page_map.h): reading some of one group, walking over
 * those that are there, and changing them in a write of the blob's record. Needs no key of the customer's.
 * Rows change together with the record alone, so the record is the guard of what was read of them after it.
 */
#ifndef GATEWAY_BLOB_PAGE_ROWS_H
#define GATEWAY_BLOB_PAGE_ROWS_H

#include "gateway/blob/blob_write.h"

#define GK_PAGE_ROWS_MAX 64u /* that are read, or changed, at once */

/* Whose rows: as target's record says, or says by now. Keeps nothing of target; the request's account must
 * stay. */
struct gk_page_space {
    struct gk_store *store;
    struct gk_place place; /* kind and key are set for each row */
    char index[GK_INDEX_NAME_BYTES];
    uint8_t record_key[GK_MAP_KEY_BYTES_MAX];
    size_t record_key_len;
    struct gk_id id;
    uint8_t groups[GK_PAGE_GROUPS_MAX / 8];
    struct gk_page_eras eras;
};
void gk_page_space_init(struct gk_page_space *space, const struct gk_request *request,
                        const struct gk_blob_target *target);

struct gk_page_row {
    uint32_t index; /* which 4 MiB of the blob */
    bool exists;    /* there is a page object; else map is all zeros */
    uint32_t era;   /* of the row that was read */
    struct gk_page_map map;
    struct gk_id was_object; /* as it was read */
    uint32_t was_made;
};

/* Rows of one group, by ascending index. */
struct gk_page_rows {
    uint32_t group;
    struct gk_page_group present;
    uint32_t count;
    struct gk_page_row *items;
    struct gk_page_ages *ages; /* of each item; NULL: not wanted, or of a blob in its first era */
};

/* Reads the group and those rows whose index stands in items, all of one state. GK_E_INTEGRITY: one that
 * must be there is not. */
enum gk_status gk_page_rows_read(struct gk_page_space *space, struct gk_page_rows *rows,
                                 struct gk_error *error) GK_MUST_USE;
/*
 * The next rows that there are, from index on and before end, into items, which has room for
 * GK_PAGE_ROWS_MAX; count 0 after the last. *index is moved behind them.
 */
enum gk_status gk_page_rows_next(struct gk_page_space *space, uint32_t *index, uint32_t end,
                                 struct gk_page_rows *rows, struct gk_error *error) GK_MUST_USE;

/*
 * Makes the rows what rows says, and the group, and notes the group in record: a row whose map has nothing
 * goes, and its page object is garbage. What states may name stays as it is: the rows come beside it, under
 * the present era. rows has ages, unless that is the first.
 */
enum gk_status gk_page_rows_write(const struct gk_page_space *space, struct gk_page_rows *rows,
                                  struct gk_blob_write *write, struct gk_blob_record *record,
                                  struct gk_error *error) GK_MUST_USE;
/*
 * The two halves of that, for more rows of a group than are read at once. First some of the rows, which are
 * noted in group; changed is set when that is another group by then: which rows there are, and of which eras.
 */
enum gk_status gk_page_rows_write_some(const struct gk_page_space *space, struct gk_page_rows *rows,
                                       struct gk_page_group *group, bool *changed,
                                       struct gk_blob_write *write,
                                       struct gk_error *error) GK_MUST_USE;
/* And then the group. */
enum gk_status gk_page_group_write(const struct gk_page_space *space, uint32_t number,
                                   const struct gk_page_group *group, struct gk_blob_write *write,
                                   struct gk_blob_record *record,
                                   struct gk_error *error) GK_MUST_USE;

/* A row of space under the era that it says, and a group under that era, whatever was there: of a space that no
 * record names yet. ages NULL: in the first era. */
enum gk_status gk_page_row_set(const struct gk_page_space *space, const struct gk_page_row *row,
                               const struct gk_page_ages *ages, struct gk_change_list *changes,
                               struct gk_error *error) GK_MUST_USE;
enum gk_status gk_page_group_set(const struct gk_page_space *space, uint32_t number, uint32_t era,
                                 const struct gk_page_group *group, struct gk_change_list *changes,
                                 struct gk_error *error) GK_MUST_USE;

#endif
