/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and private keys of the listeners, read as they are. */
#ifndef GATEWAY_PEM_FILE_H
#define GATEWAY_PEM_FILE_H

#include "gatekey/types.h"

/* The file's content as a text (gk_pem_file_free). GK_E_INVALID when it cannot be read, is longer
 * than 1 MiB or holds no PEM block. */
enum gk_status gk_pem_file_read(const char *path, char **out, struct gk_error *error) GK_MUST_USE;
/* Wipes and frees; sets *pem to NULL. */
void gk_pem_file_free(char **pem);

#endif
