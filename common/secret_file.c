/* SPDX-License-Identifier: Apache-2.0 */
#include "common/secret_file.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/secret.h"

#define SECRET_TEXT_BYTES_MIN 16u
#define SECRET_TEXT_BYTES_MAX 4000u
#define SECRET_FILE_BYTES     4096u

/* What is no regular file is not waited for. */
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

static ssize_t read_some(int fd, char *out, size_t max)
{
    size_t got = 0;
    while (got < max) {
        const ssize_t n = read(fd, out + got, max - got);
        if (n < 0) {
            return -1;
        }
        if (n == 0) {
            break;
        }
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static bool trim_secret(char *text, size_t *len)
{
    while (*len > 0 && strchr(" \t\r\n", text[*len - 1]) != NULL) {
        text[--*len] = '\0';
    }
    for (size_t i = 0; i < *len; i++) {
        if (text[i] <= 0x20 || text[i] >= 0x7f) {
            return false;
        }
    }
    return *len >= SECRET_TEXT_BYTES_MIN && *len <= SECRET_TEXT_BYTES_MAX;
}

/* All of it, with a NUL after it. Closes fd, which may be -1. */
static enum gk_status read_and_close(int fd, const char *path, size_t bytes, char **out,
                                     size_t *len, struct gk_error *error)
{
    struct stat info;
    *out = NULL;
    *len = 0;
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
        (info.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return gk_fail(
            error, GK_E_INVALID,
            "%s: cannot be read, is no regular file, or is open to others; chmod 0600 it", path);
    }
    char *text = gk_secret_alloc(bytes);
    if (text == NULL) {
        close(fd);
        return gk_fail(error, GK_E_RESOURCE, "no memory that can be locked");
    }
    const ssize_t got = read_some(fd, text, bytes - 1);
    close(fd);
    if (got < 0) {
        gk_secret_free(&text);
        return gk_fail(error, GK_E_INVALID, "%s: cannot be read", path);
    }
    *len = (size_t)got;
    *out = text;
    return GK_OK;
}

static enum gk_status read_line(int fd, const char *path, char **out, size_t *len,
                                struct gk_error *error)
{
    const enum gk_status status = read_and_close(fd, path, SECRET_FILE_BYTES, out, len, error);
    if (status != GK_OK || trim_secret(*out, len)) {
        return status;
    }
    gk_secret_free(out);
    *len = 0;
    return gk_fail(error, GK_E_INVALID,
                   "%s: does not hold one line of %u to %u printable characters; write a random "
                   "token into it",
                   path, SECRET_TEXT_BYTES_MIN, SECRET_TEXT_BYTES_MAX);
}

enum gk_status gk_secret_file_read(const char *path, char **out, size_t *len,
                                   struct gk_error *error)
{
    return read_line(open(path, OPEN_FLAGS), path, out, len, error);
}

enum gk_status gk_secret_file_read_in(const char *directory, const char *name, char **out,
                                      size_t *len, struct gk_error *error)
{
    const int parent = open(directory, OPEN_FLAGS | O_DIRECTORY | O_NOFOLLOW);
    const int fd = parent < 0 ? -1 : openat(parent, name, OPEN_FLAGS | O_NOFOLLOW);
    if (parent >= 0) {
        close(parent);
    }
    return read_line(fd, name, out, len, error);
}

enum gk_status gk_secret_pem_read(const char *path, char **out, size_t *len, struct gk_error *error)
{
    return read_and_close(open(path, OPEN_FLAGS), path, GK_SECRET_BYTES_MAX, out, len, error);
}
