/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/scrub_show.h"

#include <stdio.h>
#include <string.h>

#include "ctl/show.h"

static json_int_t count_of(const json_t *state, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(state, "counts"), name));
}

/* Names come from clients; what a terminal would act on is shown as '?'. */
static void print_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        putchar(c < 0x20 || c == 0x7f ? '?' : c);
    }
}

/* --- progress -----------------------------------------------------------------------------------*/

static const char *phase_text(const json_t *state)
{
    static const struct {
        const char *phase;
        const char *text;
    } phases[] = {{"references", "reading what refers to data"},
                  {"data", "looking at all data"},
                  {"meta", "looking at indexes"},
                  {"verify", "opening records and chunks"}};
    const char *phase = ctl_text_of(state, "phase");
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        if (strcmp(phases[i].phase, phase) == 0) {
            return phases[i].text;
        }
    }
    return "";
}

void ctl_scrub_show_in_short(const void *ctx, FILE *stream, const json_t *state)
{
    (void)ctx;
    fprintf(
        stream, "%-28s %lld blobs, %lld damaged, %lld unreferenced", phase_text(state),
        (long long)count_of(
            state, strcmp(ctl_text_of(state, "phase"), "verify") == 0 ? "verifiedBlobs" : "blobs"),
        (long long)count_of(state, "damaged"), (long long)count_of(state, "unreferencedObjects"));
}

/* --- the report ---------------------------------------------------------------------------------*/

static void print_count(const json_t *state, const char *label, const char *name, bool always)
{
    const json_int_t count = count_of(state, name);
    if (always || count != 0) {
        printf("%-28s%lld\n", label, (long long)count);
    }
}

static void print_damaged(const json_t *state)
{
    size_t index = 0;
    json_t *finding = NULL;
    json_array_foreach(json_object_get(state, "damaged"), index, finding)
    {
        fputs("damaged       ", stdout);
        print_plain(ctl_text_of(finding, "account"));
        putchar('/');
        print_plain(ctl_text_of(finding, "container"));
        putchar('/');
        print_plain(ctl_text_of(finding, "blob"));
        fputs(": ", stdout);
        print_plain(ctl_text_of(finding, "what"));
        putchar('\n');
    }
}

static void print_others(const json_t *state)
{
    size_t index = 0;
    json_t *finding = NULL;
    json_array_foreach(json_object_get(state, "notVerifiable"), index, finding)
    {
        fputs("not verifiable  account ", stdout);
        print_plain(ctl_text_of(finding, "account"));
        fputs(": ", stdout);
        print_plain(ctl_text_of(finding, "reason"));
        putchar('\n');
    }
    json_array_foreach(json_object_get(state, "unreferenced"), index, finding)
    {
        fputs("unreferenced  ", stdout);
        print_plain(ctl_text_of(finding, "object"));
        printf(" (%s, %lld bytes)\n", ctl_text_of(finding, "pool"),
               (long long)json_integer_value(json_object_get(finding, "bytes")));
    }
}

static void print_status(const json_t *state)
{
    const char *status = ctl_text_of(state, "status");
    printf("%-28s", "Scrub");
    print_plain(status);
    if (strcmp(status, "failed") == 0) {
        fputs(": ", stdout);
        print_plain(ctl_text_of(state, "failure"));
    }
    if (strcmp(status, "running") == 0) {
        printf(", %s, %d %%", phase_text(state),
               (int)(100 * json_number_value(json_object_get(state, "progress"))));
    } else if (strcmp(status, "done") != 0) {
        fputs("; gatekeyctl scrub --resume goes on", stdout);
    }
    putchar('\n');
}

void ctl_scrub_show(const json_t *state)
{
    print_damaged(state);
    print_others(state);
    print_status(state);
    print_count(state, "Accounts", "accounts", true);
    print_count(state, "Containers", "containers", true);
    print_count(state, "Blobs", "blobs", true);
    print_count(state, "Data objects referred to", "referencedObjects", true);
    print_count(state, "Blobs verified", "verifiedBlobs", false);
    print_count(state, "  bytes", "verifiedBytes", false);
    print_count(state, "  not verifiable now", "notVerifiableBlobs", false);
    print_count(state, "Damaged", "damaged", true);
    print_count(state, "Unreferenced objects", "unreferencedObjects", true);
    print_count(state, "  bytes", "unreferencedBytes", false);
    print_count(state, "  removed", "removedObjects", false);
    print_count(state, "Too young to tell", "recentObjects", false);
    print_count(state, "Left, for damaged records", "undecidedObjects", false);
    print_count(state, "Left to the reaper", "waitingObjects", false);
    print_count(state, "Of others", "foreignObjects", false);
    print_count(state, "Put back into the registry", "relisted", false);
}

enum ctl_exit ctl_scrub_exit(const json_t *state)
{
    const char *status = ctl_text_of(state, "status");
    if (count_of(state, "damaged") > 0) {
        return CTL_DAMAGED;
    }
    if (strcmp(status, "failed") == 0) {
        return CTL_FAILED;
    }
    if (strcmp(status, "stopped") == 0 || strcmp(status, "interrupted") == 0) {
        return CTL_STOPPED;
    }
    return count_of(state, "unreferencedObjects") > count_of(state, "removedObjects")
               ? CTL_UNREFERENCED
               : CTL_OK;
}
