/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets that settings refer to by the name of a file. */
#ifndef COMMON_SECRET_FILE_H
#define COMMON_SECRET_FILE_H

#include "gatekey/types.h"

/*
 * Reads one line of secret text into secret memory (gk_secret_free), NUL-terminated, without the
 * white space at its end. The file must be regular, closed to others, and hold 16 to 4000 printable
 * characters without blanks. GK_E_INVALID says what is wrong and what to do.
 */
enum gk_status gk_secret_file_read(const char *path, char **out, size_t *len,
                                   struct gk_error *error) GK_MUST_USE;
/*
 * The same, of a file whose name somebody else told: it must be in that very directory, and neither
 * of both may be a symbolic link. name has no slash.
 */
enum gk_status gk_secret_file_read_in(const char *directory, const char *name, char **out,
                                      size_t *len, struct gk_error *error) GK_MUST_USE;

/*
 * Reads a whole file of at most 16383 bytes, such as a private key in PEM, into secret memory. The
 * same holds for who may read it; what it holds is the caller's to judge.
 */
enum gk_status gk_secret_pem_read(const char *path, char **out, size_t *len,
                                  struct gk_error *error) GK_MUST_USE;

#endif
