/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever the body of Put Block List is: what is taken keeps what the parser promises, and comes out
 * the same when it is written again. And whatever text an answer must carry: it is XML.
 */
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "gateway/blob/block_list_xml.h"
#include "gateway/blob/xml.h"

static void require(bool good)
{
    if (!good) {
        abort();
    }
}

static void write_body(const struct gk_block_ref *refs, uint32_t count, struct gk_buf *out)
{
    static const char *const elements[] = {"Committed", "Uncommitted", "Latest"};
    struct gk_xml_writer writer;
    gk_xml_writer_init(&writer, out);
    gk_xml_open(&writer, "BlockList");
    for (uint32_t i = 0; i < count; i++) {
        struct gk_buf name;
        gk_buf_init(&name, 2 * GK_BLOCK_NAME_BYTES_MAX);
        gk_base64_encode(&name, gk_span_of(refs[i].name, refs[i].name_len));
        gk_xml_text(&writer, elements[refs[i].list], gk_buf_str(&name));
        gk_buf_cleanup(&name);
    }
    require(gk_xml_writer_finish(&writer, NULL) == GK_OK);
}

static void read_body(struct gk_span body)
{
    struct gk_block_ref *refs;
    uint32_t count;
    struct gk_error error = {0};
    if (gk_block_list_parse(body, &refs, &count, &error) != GK_OK) {
        require(refs == NULL && count == 0 && error.http_status == 400);
        return;
    }
    require(count <= GK_BLOCK_LIST_MAX && (refs != NULL || count == 0));
    struct gk_buf again;
    gk_buf_init(&again, GK_BLOCK_LIST_BODY_BYTES_MAX);
    write_body(refs, count, &again);
    struct gk_block_ref *same;
    uint32_t same_count;
    require(gk_block_list_parse(gk_buf_span(&again), &same, &same_count, NULL) == GK_OK);
    require(same_count == count);
    for (uint32_t i = 0; i < count; i++) {
        require(refs[i].name_len >= 1 && refs[i].name_len <= GK_BLOCK_NAME_BYTES_MAX);
        require(same[i].list == refs[i].list && same[i].name_len == refs[i].name_len);
        require(memcmp(same[i].name, refs[i].name, refs[i].name_len) == 0);
    }
    gk_buf_cleanup(&again);
    free(same);
    free(refs);
}

static bool take_element(void *ctx, const char *element, unsigned depth)
{
    (void)ctx, (void)element;
    return depth <= 1;
}

static bool take_text(void *ctx, struct gk_span text)
{
    (void)ctx, (void)text;
    return true;
}

static bool take_end(void *ctx, unsigned depth)
{
    (void)ctx, (void)depth;
    return true;
}

static void write_text(struct gk_span bytes)
{
    static const struct gk_xml_visitor visitor = {
        .open = take_element, .text = take_text, .close = take_end};
    struct gk_buf text;
    struct gk_buf out;
    struct gk_xml_writer writer;
    gk_buf_init(&text, 4096);
    gk_buf_init(&out, 1u << 20);
    gk_buf_append(&text, bytes.data, bytes.len < 4096 ? bytes.len : 4096);
    gk_xml_writer_init(&writer, &out);
    gk_xml_open(&writer, "R");
    gk_xml_attribute(&writer, "a", gk_buf_str(&text));
    gk_xml_text(&writer, "T", gk_buf_str(&text));
    gk_xml_name(&writer, "N", gk_buf_str(&text));
    require(gk_xml_writer_finish(&writer, NULL) == GK_OK);
    require(gk_xml_read(gk_buf_span(&out), &visitor, NULL) == GK_OK);
    gk_buf_cleanup(&text);
    gk_buf_cleanup(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        read_body(gk_span_of(data, size));
        write_text(gk_span_of(data, size));
    }
    return 0;
}
