/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/pem_file.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "common/secret.h"

#define PEM_BYTES_MAX ((size_t)1 << 20)

void gk_pem_file_free(char **pem)
{
    if (*pem != NULL) {
        gk_wipe(*pem, strlen(*pem));
        free(*pem);
        *pem = NULL;
    }
}

static size_t read_all(int fd, char *out, size_t max)
{
    size_t got = 0;
    while (got < max) {
        const ssize_t n = read(fd, out + got, max - got);
        if (n <= 0) {
            return n == 0 ? got : 0;
        }
        got += (size_t)n;
    }
    return got;
}

enum gk_status gk_pem_file_read(const char *path, char **out, struct gk_error *error)
{
    *out = NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char *text = fd < 0 ? NULL : calloc(1, PEM_BYTES_MAX + 1);
    const size_t len = text == NULL ? 0 : read_all(fd, text, PEM_BYTES_MAX);
    if (fd >= 0) {
        close(fd);
    }
    const bool good = len > 0 && len < PEM_BYTES_MAX && strlen(text) == len &&
                      strstr(text, "-----BEGIN ") != NULL;
    if (!good) {
        if (text != NULL) {
            gk_wipe(text, PEM_BYTES_MAX);
        }
        free(text);
        return gk_fail(error, GK_E_INVALID,
                       "%s: cannot be read or holds no PEM block; name a PEM file", path);
    }
    *out = text;
    return GK_OK;
}
