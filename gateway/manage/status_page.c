/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /status: what gatekeyctl tells, for people who would rather look. The page is three files, which are in the
 * program and the same for everybody; what they show comes from the API, with the token that is typed in.
 */
#include <strings.h>

#include "common/error.h"
#include "gateway/manage/manage.h"

/* Of gateway/status, as bytes in the program. */
#define FILE_IN_PROGRAM(symbol, name)                                                              \
    __asm__(".section .rodata\n"                                                                   \
            ".hidden " symbol ", " symbol "_end\n"                                                 \
            ".global " symbol ", " symbol "_end\n" symbol ":\n"                                    \
            ".incbin \"" GATEKEY_STATUS_DIRECTORY "/" name "\"\n" symbol "_end:\n"                 \
            ".byte 0\n"                                                                            \
            ".previous\n")

FILE_IN_PROGRAM("gk_status_html", "index.html");
FILE_IN_PROGRAM("gk_status_css", "status.css");
FILE_IN_PROGRAM("gk_status_js", "status.js");

extern const char gk_status_html[];
extern const char gk_status_html_end[];
extern const char gk_status_css[];
extern const char gk_status_css_end[];
extern const char gk_status_js[];
extern const char gk_status_js_end[];

static const struct {
    const char *name;
    const char *content_type;
    const char *begin;
    const char *end;
} files[] = {
    {"", "text/html; charset=utf-8", gk_status_html, gk_status_html_end},
    {"status.css", "text/css; charset=utf-8", gk_status_css, gk_status_css_end},
    {"status.js", "text/javascript; charset=utf-8", gk_status_js, gk_status_js_end},
};

enum gk_status gk_manage_status_page(struct gk_manage *manage, const struct gk_manage_path *path,
                                     const struct gk_manage_request *request,
                                     struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)manage, (void)request;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (strcasecmp(files[i].name, path->action) == 0) {
            gk_buf_append(&answer->body, files[i].begin, (size_t)(files[i].end - files[i].begin));
            answer->status = 200;
            answer->content_type = files[i].content_type;
            answer->page = true;
            return gk_buf_status(&answer->body) == GK_OK
                       ? GK_OK
                       : gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
    }
    return gk_fail_http(error, GK_E_NOT_FOUND, 404, "ResourceNotFound",
                        "The status page has no such file.");
}
