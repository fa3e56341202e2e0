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

static void print_root_keys(const json_t *keys)
{
    size_t index = 0;
    json_t *key = NULL;
    json_array_foreach(keys, index, key)
    {
        const char *of = ctl_text_of(key, "of");
        printf("  root key %lld of ",
               (long long)json_integer_value(json_object_get(key, "generation")));
        ctl_print_plain(of, 0);
        printf(": gatekeyctl %s new-root-key ", strchr(of, '/') == NULL ? "account" : "scope");
        ctl_print_plain(of, 0);
        putchar('\n');
    }
}

static void print_blob_evidence(const json_t *evidence)
{
    const json_int_t lent = json_integer_value(json_object_get(evidence, "lentTo"));
    const json_int_t borrowed = json_integer_value(json_object_get(evidence, "borrowed"));
    const char *account = ctl_text_of(evidence, "account");
    printf("Blob ");
    ctl_print_plain(ctl_text_of(evidence, "container"), 0);
    putchar('/');
    ctl_print_plain(ctl_text_of(evidence, "blob"), 0);
    printf(" of account ");
    ctl_print_plain(account, 0);
    printf(" is shredded: %lld records with a sealed data key are destroyed.\n"
           "A second read of the store, at ",
           (long long)json_integer_value(json_object_get(evidence, "records")));
    ctl_print_plain(ctl_text_of(evidence, "verified"), 0);
    printf(", has found none of them.\n");
    if (lent > 0) {
        printf("Its data is not gone: %lld copies within the account have the same data key.\n",
               (long long)lent);
    }
    if (borrowed > 0) {
        printf("Its data is not gone: %lld of the records were of a copy, and what that was made "
               "from has the\nsame data key.\n",
               (long long)borrowed);
    }
    printf("Who has copied the records before opens them until these are retired:\n");
    print_root_keys(json_object_get(evidence, "rootKeys"));
    printf("and then: gatekeyctl account reseal ");
    ctl_print_plain(account, 0);
    putchar('\n');
}

/* --- the commands -------------------------------------------------------------------------------*/

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

enum ctl_exit ctl_blob_shred(const struct ctl_options *options)
{
    const char *container = strchr(options->name, '/');
    const char *blob = container == NULL ? NULL : strchr(container + 1, '/');
    char account[NAME_BYTES_MAX];
    char path[PATH_BYTES_MAX];
    if (blob == NULL) {
        return ctl_fail(CTL_USAGE, "blob shred takes ACCOUNT/CONTAINER/BLOB");
    }
    if (!options->yes) {
        return ctl_fail(CTL_USAGE,
                        "shredding '%s' destroys it with its snapshots, its versions and what was "
                        "deleted and is kept, for good; add --yes if that is wanted",
                        options->name);
    }
    snprintf(account, sizeof account, "%.*s", (int)(container - options->name), options->name);
    enum ctl_exit code = ctl_check_account_name(account);
    if (code != CTL_OK) {
        return code;
    }
    snprintf(path, sizeof path, "/gatekey/accounts/%s/shredBlob", account);
    json_t *evidence = NULL;
    json_t *body = json_pack("{s:s%, s:s}", "container", container + 1,
                             (size_t)(blob - container - 1), "blob", blob + 1);
    code = body == NULL ? ctl_fail(CTL_USAGE, "that name is not UTF-8")
                        : ctl_request(options, "POST", path, body, &evidence);
    json_decref(body);
    if (code == CTL_OK && options->json) {
        ctl_show_json(evidence);
    } else if (code == CTL_OK) {
        print_blob_evidence(evidence);
    }
    json_decref(evidence);
    return code;
}
