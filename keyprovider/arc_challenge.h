/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proof that the agent of Azure Arc wants before it gives tokens to a process of its machine
 * ("Authenticate against Azure resources with Azure Arc-enabled servers"):
 *
 *   GET .../metadata/identity/oauth2/token   Metadata: true
 *     401  WWW-Authenticate: Basic realm=/var/opt/azcmagent/tokens/<name>.key
 *   the same again, with Authorization: Basic <what that file holds>
 *
 * Whoever listens at the agent's port names the file, so it is read only where the agent keeps such
 * files, and its content can go nowhere but back to that port.
 */
#ifndef KEYPROVIDER_ARC_CHALLENGE_H
#define KEYPROVIDER_ARC_CHALLENGE_H

#include "gatekey/types.h"

#define GK_KV_ARC_SCHEME "Basic"

/*
 * challenge is the header's value. The file must be in directory itself, of letters, digits, '-', '_'
 * and '.', and end in ".key"; it must be regular, no link, closed to others, and hold one line of at
 * most 4000 characters. *out is secret memory (gk_secret_free). GK_E_INVALID says what is wrong.
 */
enum gk_status gk_kv_arc_credentials(const char *challenge, const char *directory, char **out,
                                     struct gk_error *error) GK_MUST_USE;

#endif
