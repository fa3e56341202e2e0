/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/findings.h"

#include <stdarg.h>
#include <stdio.h>

#include "ctl/show.h"

static const char *const kind_names[] = {"ok", "warning", "failed"};

void ctl_finding(struct ctl_findings *findings, enum ctl_finding_kind kind, const char *check,
                 const char *remedy, const char *format, ...)
{
    char detail[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    findings->counts[kind]++;
    if (findings->kept != NULL) {
        json_t *text = json_string(detail);
        json_array_append_new(
            findings->kept,
            json_pack("{s:s, s:s, s:o, s:s}", "check", check, "result", kind_names[kind], "detail",
                      text == NULL ? json_string("(not UTF-8)") : text, "remedy", remedy));
        return;
    }
    printf("%-8s %-14s ", kind_names[kind], check);
    ctl_print_plain(detail, 0);
    if (remedy[0] != '\0') {
        printf("\n%24s", "");
        ctl_print_plain(remedy, 0);
    }
    putchar('\n');
    fflush(stdout); /* the next one may take a while */
}
