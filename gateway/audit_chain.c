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

static bool head_equal(const struct gk_chain_head *a, const struct gk_chain_head *b)
{
    return a->sequence == b->sequence && memcmp(a->hash, b->hash, sizeof a->hash) == 0;
}

/* False: the library makes no hashes. */
static bool pass_if_next(struct gk_span line, struct gk_chain_head *head)
{
    struct gk_chain_head link;
    char hash[GK_CHAIN_HASH_TEXT_BYTES];
    gk_chain_hash_text(head->hash, hash);
    if (memmem(line.data, line.len, hash, sizeof hash - 1) == NULL || !read_link(line, &link) ||
        link.sequence != head->sequence + 1 ||
        memcmp(link.hash, head->hash, sizeof head->hash) != 0) {
        return true;
    }
    head->sequence = link.sequence;
    return gk_chain_hash(line, head->hash);
}

/* Over every line of the file; what is too long to be one of ours comes in pieces, none of which is a line. */
static bool pass_all_that_follow(int fd, struct gk_chain_head *head)
{
    static uint8_t window[LINE_BYTES_MAX]; /* as gk_audit_chain_open's */
    off_t from = 0;
    ssize_t got;
    while ((got = pread(fd, window, sizeof window, from)) > 0) {
        struct gk_span rest = gk_span_of(window, (size_t)got);
        const uint8_t *end;
        while ((end = memchr(rest.data, '\n', rest.len)) != NULL) {
            const size_t len = (size_t)(end - rest.data);
            if (!pass_if_next(gk_span_of(rest.data, len), head)) {
                return false;
            }
            rest = gk_span_of(end + 1, rest.len - len - 1);
        }
        if (rest.len == (size_t)got) {
            if (!pass_if_next(rest, head)) {
                return false;
            }
            rest.len = 0;
        }
        from += got - (ssize_t)rest.len;
    }
    return got == 0;
}

/* The head may be behind the file: by a line when the gateway was killed, by many after a power cut, for nobody waits
 * until either is on the medium. What follows it by number and hash is taken up: to go on from where the head stands
 * would give those numbers twice. */
static bool resume(int fd, const struct tail *tail, struct gk_audit_chain *chain)
{
    struct gk_chain_head kept = {0};
    struct gk_chain_head link = {0};
    struct gk_chain_head last = {0};
    const bool has_kept = read_head(chain->head_fd, &kept);
    last.sequence = read_link(tail->line, &link) ? link.sequence : 0;
    if (tail->line.len > 0 && !gk_chain_hash(tail->line, last.hash)) {
        return false;
    }
    chain->head = has_kept ? kept : last;
    if (tail->line.len == 0 || head_equal(&chain->head, &last)) {
        return true;
    }
    if (!pass_all_that_follow(fd, &chain->head)) {
        return false;
    }
    chain->behind = chain->head.sequence - kept.sequence;
    if (!head_equal(&chain->head, &last)) {
        gk_log(GK_LOG_ERROR, "audit", "the audit file does not end with the event %llu, as it did",
               (unsigned long long)chain->head.sequence);
    }
    return true;
}

enum gk_status gk_audit_chain_open(int fd, const char *head_path, struct gk_audit_chain *out,
                                   struct gk_error *error)
{
    static struct tail tail; /* opened once, before there are threads */
    *out = (struct gk_audit_chain){.head_fd = -1};
    out->head_fd = open(head_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (out->head_fd < 0 || !read_tail(fd, &tail) || !resume(fd, &tail, out)) {
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

void gk_audit_chain_sync(const struct gk_audit_chain *chain)
{
    if (fdatasync(chain->head_fd) != 0) {
        gk_log(GK_LOG_WARNING, "audit", "the head of the audit's chain is not on the medium: %s",
               strerror(errno));
    }
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
