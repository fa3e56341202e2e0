/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/arc_challenge.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/error.h"
#include "common/secret_file.h"

#define PREFIX     GK_KV_ARC_SCHEME " realm="
#define SUFFIX     ".key"
#define NAME_SIGNS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

/* The name of the file in directory that the challenge speaks of; NULL: it speaks of something else. */
static const char *name_in(const char *challenge, const char *directory)
{
    const size_t directory_len = strlen(directory);
    if (strncasecmp(challenge, PREFIX, sizeof PREFIX - 1) != 0) {
        return NULL;
    }
    const char *path = challenge + sizeof PREFIX - 1;
    if (strncmp(path, directory, directory_len) != 0 || path[directory_len] != '/') {
        return NULL;
    }
    const char *name = path + directory_len + 1;
    const size_t len = strlen(name);
    const size_t suffix_len = sizeof SUFFIX - 1;
    return len > suffix_len && name[0] != '.' && strspn(name, NAME_SIGNS) == len &&
                   strcmp(name + len - suffix_len, SUFFIX) == 0
               ? name
               : NULL;
}

enum gk_status gk_kv_arc_credentials(const char *challenge, const char *directory, char **out,
                                     struct gk_error *error)
{
    size_t len = 0;
    *out = NULL;
    const char *name = name_in(challenge, directory);
    if (name == NULL) {
        return gk_fail(error, GK_E_INVALID,
                       "the agent of Azure Arc names no key file in %.200s as its challenge",
                       directory);
    }
    return gk_secret_file_read_in(directory, name, out, &len, error);
}
