/* SPDX-License-Identifier: Apache-2.0 */
/* audit verify: whether audit files have all their lines, and each as it was written. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash_chain.h"
#include "common/text.h"
#include "ctl/options.h"
#include "ctl/show.h"

#define PATH_BYTES 4096u

struct verifying {
    const char *path;
    uint64_t line;  /* its number in the file */
    uint64_t lines; /* of all files */
    bool begun;     /* a line of the chain was seen */
    uint64_t first; /* its number in the chain */
    uint64_t unchained;
    struct gk_chain_head at; /* the line that was seen last */
    bool noted;              /* whether an event with the number that was noted was seen */
    bool noted_same;
    struct gk_chain_head note;
    json_t *problems;
};

__attribute__((format(printf, 2, 3))) static void problem(struct verifying *verifying,
                                                          const char *format, ...)
{
    char what[256];
    char text[PATH_BYTES + 320];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(text, sizeof text, "%s:%" PRIu64 ": %s", verifying->path, verifying->line, what);
    json_array_append_new(verifying->problems, json_string(text));
}

/* The number of a line and what it says of the one before; a number of 0 for a line without. */
static struct gk_chain_head link_of(struct gk_span line)
{
    struct gk_chain_head link = {0};
    json_t *object = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *sequence = json_object_get(object, GK_CHAIN_SEQUENCE);
    const char *previous = json_string_value(json_object_get(object, GK_CHAIN_PREVIOUS));
    if (json_is_integer(sequence) && json_integer_value(sequence) > 0 && previous != NULL &&
        gk_hex_decode(gk_span_str(previous), link.hash, sizeof link.hash)) {
        link.sequence = (uint64_t)json_integer_value(sequence);
    }
    json_decref(object);
    return link;
}

/* What comes after the line that was seen last. */
static void check_link(struct verifying *verifying, const struct gk_chain_head *link)
{
    const struct gk_chain_head *at = &verifying->at;
    const bool first = !verifying->begun;
    if (first && link->sequence != 1) {
        return; /* what came before is in another file, or no more */
    }
    if (link->sequence > at->sequence + 1) {
        problem(verifying, "events %" PRIu64 " to %" PRIu64 " are missing before this line",
                at->sequence + 1, link->sequence - 1);
    } else if (link->sequence <= at->sequence) {
        problem(verifying, "event %" PRIu64 " comes after event %" PRIu64, link->sequence,
                at->sequence);
    } else if (memcmp(link->hash, at->hash, sizeof at->hash) != 0) {
        problem(verifying, "the line before is not what it was when this one was written");
    }
}

static bool check_line(struct verifying *verifying, struct gk_span line)
{
    const struct gk_chain_head link = link_of(line);
    verifying->line++;
    verifying->lines++;
    if (link.sequence == 0 && verifying->begun) {
        problem(verifying, "this is no line of the chain");
        return true;
    }
    if (link.sequence == 0) {
        verifying->unchained++;
    } else {
        check_link(verifying, &link);
        verifying->first = verifying->begun ? verifying->first : link.sequence;
        verifying->begun = true;
    }
    verifying->at.sequence = link.sequence;
    if (!gk_chain_hash(line, verifying->at.hash)) {
        return false;
    }
    if (verifying->note.sequence != 0 && link.sequence == verifying->note.sequence) {
        verifying->noted = true;
        verifying->noted_same =
            memcmp(verifying->at.hash, verifying->note.hash, sizeof verifying->at.hash) == 0;
    }
    return true;
}

static enum ctl_exit read_lines(struct verifying *verifying, FILE *file)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    bool good = true;
    while (good && (len = getline(&line, &size, file)) >= 0) {
        len -= len > 0 && line[len - 1] == '\n';
        good = check_line(verifying, gk_span_of(line, (size_t)len));
    }
    const bool failed = ferror(file) != 0;
    free(line);
    if (!good) {
        return ctl_fail(CTL_FAILED, "the library makes no hashes");
    }
    return failed ? ctl_fail(CTL_FAILED, "%s cannot be read: %s", verifying->path, strerror(errno))
                  : CTL_OK;
}

/* --- what was noted -----------------------------------------------------------------------------*/

/* The gateway notes its last line beside the file; a crash may have come before it did. */
static void check_head_file(struct verifying *verifying)
{
    char path[PATH_BYTES];
    char text[GK_CHAIN_HEAD_BYTES + 1] = "";
    struct gk_chain_head head;
    snprintf(path, sizeof path, "%s" GK_CHAIN_HEAD_SUFFIX, verifying->path);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        problem(verifying, "%s is not there: what is missing at the end is not seen",
                GK_CHAIN_HEAD_SUFFIX);
        return;
    }
    const size_t len = fread(text, 1, sizeof text, file);
    fclose(file);
    const struct gk_chain_head *at = &verifying->at;
    if (!verifying->begun) {
        return; /* all that came before is in another file: this one was rotated just now */
    }
    if (!gk_chain_head_decode(gk_span_of(text, len), &head)) {
        problem(verifying, "%s cannot be understood", GK_CHAIN_HEAD_SUFFIX);
    } else if (head.sequence > at->sequence) {
        problem(verifying, "events %" PRIu64 " to %" PRIu64 " are missing after this line",
                at->sequence + 1, head.sequence);
    } else if (head.sequence == at->sequence &&
               memcmp(head.hash, at->hash, sizeof head.hash) != 0) {
        problem(verifying, "this line is not what it was");
    } else if (head.sequence + 1 < at->sequence) {
        problem(verifying, "%s is of an older line", GK_CHAIN_HEAD_SUFFIX);
    }
}

/* SEQUENCE:HASH */
static bool parse_note(const char *text, struct gk_chain_head *note)
{
    const char *colon = strchr(text, ':');
    return colon != NULL &&
           gk_parse_u64(gk_span_of(text, (size_t)(colon - text)), UINT64_MAX, &note->sequence) &&
           note->sequence > 0 &&
           gk_hex_decode(gk_span_str(colon + 1), note->hash, sizeof note->hash);
}

static void check_note(struct verifying *verifying)
{
    if (verifying->note.sequence == 0) {
        return;
    }
    if (!verifying->noted) {
        problem(verifying, "event %" PRIu64 ", which was noted, is not there",
                verifying->note.sequence);
    } else if (!verifying->noted_same) {
        problem(verifying, "event %" PRIu64 " is not what was noted", verifying->note.sequence);
    }
}

/* --- the command --------------------------------------------------------------------------------*/

static enum ctl_exit show(const struct verifying *verifying, bool json)
{
    const struct gk_chain_head *at = &verifying->at;
    const size_t problems = json_array_size(verifying->problems);
    const uint64_t events = verifying->begun ? verifying->lines - verifying->unchained : 0;
    char hash[GK_CHAIN_HASH_TEXT_BYTES];
    gk_chain_hash_text(at->hash, hash);
    if (json) {
        json_t *answer = json_pack(
            "{s:I, s:I, s:I, s:I, s:s, s:O}", "events", (json_int_t)events, "first",
            (json_int_t)verifying->first, "last", (json_int_t)at->sequence, "unchained",
            (json_int_t)verifying->unchained, "hash", hash, "problems", verifying->problems);
        ctl_show_json(answer);
        json_decref(answer);
        return problems == 0 ? CTL_OK : CTL_DAMAGED;
    }
    for (size_t i = 0; i < problems; i++) {
        puts(json_string_value(json_array_get(verifying->problems, i)));
    }
    if (verifying->unchained > 0) {
        printf("%" PRIu64 " lines before the chain are not covered\n", verifying->unchained);
    }
    printf("Events      %" PRIu64 ", number %" PRIu64 " to %" PRIu64 "\n", events, verifying->first,
           at->sequence);
    printf("Chain       %s\n", problems == 0 ? "whole" : "broken");
    printf("Head        %" PRIu64 ":%s\n", at->sequence, hash);
    return problems == 0 ? CTL_OK : CTL_DAMAGED;
}

static enum ctl_exit read_file(struct verifying *verifying, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return ctl_fail(CTL_FAILED, "%s cannot be read: %s", path, strerror(errno));
    }
    verifying->path = path;
    verifying->line = 0;
    const enum ctl_exit code = read_lines(verifying, file);
    fclose(file);
    return code;
}

/* One after the other, as one. The head is that of the last. */
static enum ctl_exit read_all(struct verifying *verifying, const struct ctl_options *options)
{
    if (options->files_count == 0) {
        verifying->path = "standard input";
        return read_lines(verifying, stdin);
    }
    enum ctl_exit code = CTL_OK;
    for (size_t i = 0; code == CTL_OK && i < options->files_count; i++) {
        code = read_file(verifying, options->files[i]);
    }
    if (code == CTL_OK) {
        check_head_file(verifying);
    }
    return code;
}

enum ctl_exit ctl_audit_verify(const struct ctl_options *options)
{
    struct verifying verifying = {0};
    if (options->head != NULL && !parse_note(options->head, &verifying.note)) {
        return ctl_fail(CTL_USAGE, "--head takes NUMBER:HASH, as this command prints them");
    }
    verifying.problems = json_array();
    enum ctl_exit code = read_all(&verifying, options);
    if (code == CTL_OK) {
        check_note(&verifying);
        code = show(&verifying, options->json);
    }
    json_decref(verifying.problems);
    return code;
}
