/* SPDX-License-Identifier: Apache-2.0 */
#include "common/buf.h"
#include "common/secret.h"
#include "common/text.h"
#include "ctl/files.h"
#include "ctl/show.h"

#define SERVICE_KEY_BYTES 32u
#define SERVICE_KEY_LABEL "gatekey-service-key-v1 "

/* "gatekey-service-key-v1 <base64 of 32 bytes>\n" */
static bool new_service_key(struct gk_buf *line)
{
    uint8_t *key = gk_secret_alloc(SERVICE_KEY_BYTES);
    const bool good = key != NULL && gk_random(key, SERVICE_KEY_BYTES);
    if (good) {
        gk_buf_append_str(line, SERVICE_KEY_LABEL);
        gk_base64_encode(line, gk_span_of(key, SERVICE_KEY_BYTES));
        gk_buf_append_str(line, "\n");
    }
    gk_secret_free(&key);
    return good && gk_buf_status(line) == GK_OK;
}

enum ctl_exit ctl_service_key_create(const struct ctl_options *options)
{
    if (options->out == NULL) {
        return ctl_fail(CTL_USAGE, "service-key create needs --out FILE");
    }
    struct gk_buf line;
    gk_buf_init(&line, 256);
    const enum ctl_exit code = new_service_key(&line)
                                   ? ctl_write_new_file(options->out, gk_buf_span(&line),
                                                        "a service key is never overwritten, for "
                                                        "all that it protects would be lost")
                                   : ctl_fail(CTL_FAILED, "no memory or no randomness for a key");
    gk_buf_cleanup_wipe(&line);
    if (code == CTL_OK && options->json) {
        json_t *made = json_pack("{s:s}", "file", options->out);
        ctl_show_json(made);
        json_decref(made);
    } else if (code == CTL_OK) {
        printf("Made %s. Keep a copy where the store is not: without it every account is lost.\n",
               options->out);
    }
    return code;
}
