/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/show.h"

#define PATH_BYTES_MAX 128u
#define NAME_BYTES_MAX 64u

/* --- what is shown ------------------------------------------------------------------------------*/

static void print_wraps(const json_t *wraps)
{
    size_t index = 0;
    json_t *wrap = NULL;
    json_array_foreach(wraps, index, wrap)
    {
        printf("  ");
        ctl_print_plain(ctl_text_of(wrap, "of"), 0);
        printf(", root key %lld, wrapped by ",
               (long long)json_integer_value(json_object_get(wrap, "generation")));
        ctl_print_plain(ctl_text_of(wrap, "keyId"), 0);
        printf("\n    SHA-256 ");
        ctl_print_plain(ctl_text_of(wrap, "sha256"), 0);
        putchar('\n');
    }
}

/* What nobody but the holder of the keys can do. */
static void print_advice(const json_t *versions)
{
    size_t index = 0;
    json_t *version = NULL;
    if (json_array_size(versions) == 0) {
        printf("A copy of the store from before still opens with the operator's service key.\n");
        return;
    }
    printf("A copy of the store from before still opens with these; have them disabled or purged, "
           "if nothing\nelse needs them:\n");
    json_array_foreach(versions, index, version)
    {
        printf("  ");
        ctl_print_plain(json_string_value(version), 0);
        putchar('\n');
    }
}

static void print_evidence(const json_t *evidence)
{
    const json_t *wraps = json_object_get(evidence, "wraps");
    printf("Account ");
    ctl_print_plain(ctl_text_of(evidence, "account"), 0);
    printf(" (");
    ctl_print_plain(ctl_text_of(evidence, "accountId"), 0);
    printf(") is shredded. Destroyed, on behalf of ");
    ctl_print_plain(ctl_text_of(evidence, "actor"), 0);
    printf(":\n");
    print_wraps(wraps);
    printf("A second read of the store, at ");
    ctl_print_plain(ctl_text_of(evidence, "verified"), 0);
    printf(", has found none of them.\n");
    print_advice(json_object_get(evidence, "keyVersions"));
}

/* --- the command --------------------------------------------------------------------------------*/

static bool is_typed(const char *name)
{
    char line[NAME_BYTES_MAX] = "";
    fprintf(stderr,
            "This destroys the root keys of account '%s', and with them all its data, for good.\n"
            "Type its name to go on: ",
            name);
    if (fgets(line, sizeof line, stdin) == NULL) {
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    return strcmp(line, name) == 0;
}

static enum ctl_exit check_confirmed(const struct ctl_options *options)
{
    if (options->confirm == NULL && isatty(STDIN_FILENO) != 1) {
        return ctl_fail(CTL_USAGE,
                        "shredding account '%s' destroys all its data, for good; add --confirm %s "
                        "if that is wanted",
                        options->name, options->name);
    }
    const bool confirmed = options->confirm == NULL ? is_typed(options->name)
                                                    : strcmp(options->confirm, options->name) == 0;
    return confirmed ? CTL_OK
                     : ctl_fail(CTL_USAGE, "that is not the account's name; nothing is done");
}

enum ctl_exit ctl_account_shred(const struct ctl_options *options)
{
    char path[PATH_BYTES_MAX];
    json_t *evidence = NULL;
    enum ctl_exit code = ctl_check_account_name(options->name);
    if (code == CTL_OK) {
        code = check_confirmed(options);
    }
    if (code != CTL_OK) {
        return code;
    }
    snprintf(path, sizeof path, "/gatekey/accounts/%s/shred", options->name);
    json_t *body = json_pack("{s:s}", "confirm", options->name);
    code = ctl_request(options, "POST", path, body, &evidence);
    json_decref(body);
    if (code == CTL_OK && options->json) {
        ctl_show_json(evidence);
    } else if (code == CTL_OK) {
        print_evidence(evidence);
    }
    json_decref(evidence);
    return code;
}
