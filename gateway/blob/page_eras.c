/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/page_eras.h"

#include "common/error.h"

static bool given(const void *value)
{
    const struct gk_page_eras *eras = value;
    return eras->era > 0 || eras->writers_count > 0;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_page_eras *eras = value;
    uint16_t groups = 0;
    gk_buf_append_u32(out, eras->era);
    gk_buf_append_u32(out, eras->shared);
    gk_buf_append_u8(out, (uint8_t)eras->writers_count);
    for (uint32_t i = 0; i < eras->writers_count; i++) {
        gk_buf_append_u64(out, eras->writers[i].id);
        gk_append_id(out, &eras->writers[i].object);
    }
    for (uint32_t group = 0; group < GK_PAGE_GROUPS_MAX; group++) {
        groups = (uint16_t)(groups + (eras->groups[group] > 0));
    }
    gk_buf_append_u16(out, groups);
    for (uint32_t group = 0; group < GK_PAGE_GROUPS_MAX; group++) {
        if (eras->groups[group] > 0) {
            gk_buf_append_u8(out, (uint8_t)group);
            gk_buf_append_u32(out, eras->groups[group]);
        }
    }
}

/* Whether the groups ascend, each with an era that has been. */
static bool read_groups(struct gk_reader *in, struct gk_page_eras *eras)
{
    const uint16_t count = gk_read_u16(in);
    uint32_t least = 0;
    for (uint16_t i = 0; i < count && !in->failed; i++) {
        const uint8_t group = gk_read_u8(in);
        eras->groups[group] = gk_read_u32(in);
        if (group < least || eras->groups[group] == 0 || eras->groups[group] > eras->era) {
            return false;
        }
        least = group + 1u;
    }
    return true;
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_page_eras *eras = value;
    eras->era = gk_read_u32(in);
    eras->shared = gk_read_u32(in);
    eras->writers_count = gk_read_u8(in);
    if (eras->writers_count > GK_PAGE_WRITERS_MAX) {
        return gk_fail(error, GK_E_INTEGRITY, "the eras of a page blob are not well-formed");
    }
    for (uint32_t i = 0; i < eras->writers_count; i++) {
        eras->writers[i].id = gk_read_u64(in);
        gk_read_id(in, &eras->writers[i].object);
    }
    return read_groups(in, eras) && eras->shared <= eras->era && given(eras)
               ? GK_OK
               : gk_fail(error, GK_E_INTEGRITY, "the eras of a page blob are not well-formed");
}

const struct gk_field_kind gk_page_eras_field = {
    .given = given, .encode = encode, .decode = decode};

void gk_page_eras_end(struct gk_page_eras *eras)
{
    eras->era++;
    eras->shared = eras->era;
    eras->writers_count = 0;
}

static void forget_writer(struct gk_page_eras *eras, uint32_t at)
{
    eras->writers_count--;
    memmove(&eras->writers[at], &eras->writers[at + 1],
            (eras->writers_count - at) * sizeof *eras->writers);
}

bool gk_page_eras_note_writer(struct gk_page_eras *eras, uint64_t id, const struct gk_id *object,
                              struct gk_id *displaced)
{
    uint32_t at = 0;
    while (at < eras->writers_count && eras->writers[at].id != id) {
        at++;
    }
    const bool displaces = at == GK_PAGE_WRITERS_MAX;
    if (displaces) {
        *displaced = eras->writers[0].object;
    }
    if (displaces || at < eras->writers_count) {
        forget_writer(eras, displaces ? 0 : at);
    }
    eras->writers[eras->writers_count++] = (struct gk_page_writer){.id = id, .object = *object};
    return displaces;
}
