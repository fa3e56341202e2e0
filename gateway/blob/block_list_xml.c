/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/block_list_xml.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/xml.h"
#include "gateway/http/request.h"

#define ENTRY_TEXT_BYTES_MAX 512u /* base64 of 64 bytes, and white space around it */
#define FIRST_CAPACITY       64u
#define WHITE_SPACE          " \t\r\n"

/* --- the body of Put Block List ----------------------------------------------------------------- */

static const char *const sources[] = {[GK_BLOCK_COMMITTED] = "Committed",
                                      [GK_BLOCK_UNCOMMITTED] = "Uncommitted",
                                      [GK_BLOCK_LATEST] = "Latest"};

struct parsing {
    struct gk_block_ref *refs;
    uint32_t count;
    uint32_t cap;
    enum gk_block_source source; /* of the entry that is open */
    bool in_entry;
    struct gk_buf text; /* of it, so far */
    const char *refusal;
    bool out_of_memory;
};

static bool refuse(struct parsing *parsing, const char *code)
{
    parsing->refusal = code;
    return false;
}

static bool open_element(void *ctx, const char *element, unsigned depth)
{
    struct parsing *parsing = ctx;
    if (depth == 0) {
        return strcmp(element, "BlockList") == 0;
    }
    for (unsigned i = 0; depth == 1 && i < sizeof sources / sizeof *sources; i++) {
        if (strcmp(element, sources[i]) == 0) {
            parsing->source = (enum gk_block_source)i;
            parsing->in_entry = true;
            gk_buf_reset(&parsing->text);
            return parsing->count < GK_BLOCK_LIST_MAX || refuse(parsing, "BlockListTooLong");
        }
    }
    return false;
}

static bool is_white_space(struct gk_span text)
{
    size_t i = 0;
    while (i < text.len && strchr(WHITE_SPACE, text.data[i]) != NULL) {
        i++;
    }
    return i == text.len;
}

static bool take_text(void *ctx, struct gk_span text)
{
    struct parsing *parsing = ctx;
    if (!parsing->in_entry) {
        return is_white_space(text);
    }
    gk_buf_append(&parsing->text, text.data, text.len);
    return gk_buf_status(&parsing->text) == GK_OK || refuse(parsing, "InvalidBlockId");
}

static struct gk_span trimmed(const char *text)
{
    text += strspn(text, WHITE_SPACE);
    size_t len = strlen(text);
    while (len > 0 && strchr(WHITE_SPACE, text[len - 1]) != NULL) {
        len--;
    }
    return gk_span_of(text, len);
}

static struct gk_block_ref *add_ref(struct parsing *parsing)
{
    if (parsing->count == parsing->cap) {
        const uint32_t cap = parsing->cap == 0 ? FIRST_CAPACITY : 2 * parsing->cap;
        struct gk_block_ref *refs = realloc(parsing->refs, cap * sizeof *refs);
        if (refs == NULL) {
            parsing->out_of_memory = true;
            return NULL;
        }
        parsing->refs = refs;
        parsing->cap = cap;
    }
    return &parsing->refs[parsing->count++];
}

static bool close_element(void *ctx, unsigned depth)
{
    struct parsing *parsing = ctx;
    if (depth == 0) {
        return true;
    }
    parsing->in_entry = false;
    uint8_t memory[GK_BLOCK_NAME_BYTES_MAX + 1];
    struct gk_buf name;
    gk_buf_init_over(&name, memory, sizeof memory);
    if (!gk_base64_decode(&name, trimmed(gk_buf_str(&parsing->text))) || name.len == 0) {
        return refuse(parsing, "InvalidBlockId");
    }
    struct gk_block_ref *ref = add_ref(parsing);
    if (ref == NULL) {
        return false;
    }
    ref->list = parsing->source;
    ref->name_len = (uint16_t)name.len;
    memcpy(ref->name, name.data, name.len);
    return true;
}

static enum gk_status refusal_of(const struct parsing *parsing, enum gk_status status,
                                 struct gk_error *error)
{
    if (parsing->out_of_memory) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory for a block list");
    }
    if (status != GK_E_INVALID) {
        return status;
    }
    return gk_refuse(error, 400,
                     parsing->refusal == NULL ? "InvalidXmlDocument" : parsing->refusal);
}

enum gk_status gk_block_list_parse(struct gk_span body, struct gk_block_ref **refs, uint32_t *count,
                                   struct gk_error *error)
{
    struct parsing parsing = {0};
    gk_buf_init(&parsing.text, ENTRY_TEXT_BYTES_MAX);
    const struct gk_xml_visitor visitor = {
        .ctx = &parsing, .open = open_element, .text = take_text, .close = close_element};
    enum gk_status status = gk_xml_read(body, &visitor, error);
    gk_buf_cleanup(&parsing.text);
    if (status != GK_OK) {
        status = refusal_of(&parsing, status, error);
        free(parsing.refs);
        parsing.refs = NULL;
        parsing.count = 0;
    }
    *refs = parsing.refs;
    *count = parsing.count;
    return status;
}

/* --- the answer of Get Block List --------------------------------------------------------------- */

static void write_list(struct gk_xml_writer *writer, const char *element,
                       const struct gk_block_sizes *sizes)
{
    if (sizes == NULL) {
        return;
    }
    struct gk_buf name;
    gk_buf_init(&name, 2 * GK_BLOCK_NAME_BYTES_MAX);
    gk_xml_open(writer, element);
    for (uint32_t i = 0; i < sizes->count; i++) {
        const struct gk_block_size *block = &sizes->items[i];
        gk_buf_reset(&name);
        gk_base64_encode(&name, gk_span_of(block->name, block->name_len));
        gk_xml_open(writer, "Block");
        gk_xml_text(writer, "Name", gk_buf_str(&name));
        gk_xml_u64(writer, "Size", block->size);
        gk_xml_close(writer);
    }
    gk_xml_close(writer);
    writer->failed = writer->failed || gk_buf_status(&name) != GK_OK;
    gk_buf_cleanup(&name);
}

enum gk_status gk_block_list_write(const struct gk_block_sizes *committed,
                                   const struct gk_block_sizes *uncommitted, struct gk_buf *out,
                                   struct gk_error *error)
{
    struct gk_xml_writer writer;
    gk_xml_writer_init(&writer, out);
    gk_xml_open(&writer, "BlockList");
    write_list(&writer, "CommittedBlocks", committed);
    write_list(&writer, "UncommittedBlocks", uncommitted);
    gk_xml_close(&writer);
    return gk_xml_writer_finish(&writer, error);
}
