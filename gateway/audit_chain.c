/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/audit_chain.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/text.h"

#define LINE_BYTES_MAX 65536u

/* --- what is there ------------------------------------------------------------------------------*/

/* The end of the file: its last line. */
struct tail {
    uint8_t bytes[LINE_BYTES_MAX];
    struct gk_span line; /* empty: there is none, or none that could be one of ours */
};

static bool read_tail(int fd, struct tail *tail)
{
    struct stat info;
    tail->line = gk_span_of(tail->bytes, 0);
    if (fd < 0) {
        return true;
    }
    if (fstat(fd, &info) != 0) {
        return false;
    }
    const off_t from =
        info.st_size > (off_t)sizeof tail->bytes ? info.st_size - (off_t)sizeof tail->bytes : 0;
    const ssize_t got = pread(fd, tail->bytes, sizeof tail->bytes, from);
    if (got < 0) {
        return false;
    }
    size_t len = (size_t)got;
    len -= len > 0 && tail->bytes[len - 1] == '\n';
    const uint8_t *before = len == 0 ? NULL : memrchr(tail->bytes, '\n', len);
    const size_t begin = before == NULL ? 0 : (size_t)(before - tail->bytes) + 1;
    tail->line = gk_span_of(tail->bytes + begin, len - begin);
    return true;
}

static bool read_head(int fd, struct gk_chain_head *head)
{
    uint8_t text[GK_CHAIN_HEAD_BYTES + 1];
    const ssize_t got = pread(fd, text, sizeof text, 0);
    return got == (ssize_t)GK_CHAIN_HEAD_BYTES &&
           gk_chain_head_decode(gk_span_of(text, GK_CHAIN_HEAD_BYTES), head);
}

/* The number of a line and what it says of the one before; false for a line without. */
static bool read_link(struct gk_span line, struct gk_chain_head *link)
{
    json_t *object = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *sequence = json_object_get(object, GK_CHAIN_SEQUENCE);
    const char *previous = json_string_value(json_object_get(object, GK_CHAIN_PREVIOUS));
    const bool good = json_is_integer(sequence) && json_integer_value(sequence) > 0 &&
                      previous != NULL &&
                      gk_hex_decode(gk_span_str(previous), link->hash, sizeof link->hash);
    link->sequence = good ? (uint64_t)json_integer_value(sequence) : 0;
    json_decref(object);
    return good;
}

/* --- where it goes on ---------------------------------------------------------------------------*/

/* A crash may have come between a line and its head: then the line is the head's next. */
static bool follows(const struct gk_chain_head *link, const struct gk_chain_head *head)
{
    return link->sequence == head->sequence + 1 &&
           memcmp(link->hash, head->hash, sizeof head->hash) == 0;
}

static bool resume(const struct tail *tail, struct gk_audit_chain *chain)
{
    struct gk_chain_head kept = {0};
    struct gk_chain_head link = {0};
    struct gk_chain_head last = {0};
    const bool has_kept = read_head(chain->head_fd, &kept);
    const bool chained = read_link(tail->line, &link);
    if (tail->line.len > 0 && !gk_chain_hash(tail->line, last.hash)) {
        return false;
    }
    last.sequence = chained ? link.sequence : 0;
    chain->head = !has_kept || (chained && follows(&link, &kept)) ? last : kept;
    const bool as_kept = chain->head.sequence == last.sequence &&
                         memcmp(chain->head.hash, last.hash, sizeof last.hash) == 0;
    if (has_kept && tail->line.len > 0 && !as_kept) {
        gk_log(GK_LOG_ERROR, "audit", "the audit file does not end with the event %llu, as it did",
               (unsigned long long)kept.sequence);
    }
    return true;
}

enum gk_status gk_audit_chain_open(int fd, const char *head_path, struct gk_audit_chain *out,
                                   struct gk_error *error)
{
    static struct tail tail; /* opened once, before there are threads */
    *out = (struct gk_audit_chain){.head_fd = -1};
    out->head_fd = open(head_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out->head_fd < 0 || !read_tail(fd, &tail) || !resume(&tail, out)) {
        const int reason = errno;
        gk_audit_chain_close(out);
        return gk_fail(error, GK_E_INVALID, "%s: the audit's chain cannot be gone on with: %s",
                       head_path, strerror(reason));
    }
    return GK_OK;
}

void gk_audit_chain_close(struct gk_audit_chain *chain)
{
    if (chain->head_fd >= 0) {
        close(chain->head_fd);
    }
    chain->head_fd = -1;
}

bool gk_audit_chain_pass(struct gk_audit_chain *chain, struct gk_span line)
{
    char text[GK_CHAIN_HEAD_BYTES + 1];
    if (!gk_chain_hash(line, chain->head.hash)) {
        return false;
    }
    chain->head.sequence++;
    gk_chain_head_encode(&chain->head, text);
    return pwrite(chain->head_fd, text, GK_CHAIN_HEAD_BYTES, 0) == (ssize_t)GK_CHAIN_HEAD_BYTES;
}
