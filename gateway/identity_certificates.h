/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates by which identities show who they are (provider.identities, client_certificate_file), for
 * metrics. The provider reads such a file each time that it needs it, and so is it read here: what is told is of the
 * certificate that would be shown now. Any thread.
 */
#ifndef GATEWAY_IDENTITY_CERTIFICATES_H
#define GATEWAY_IDENTITY_CERTIFICATES_H

#include "gateway/config.h"

/* Sets gatekey_certificate_expires_timestamp_seconds for each; certificate "identity-1" is of the first identity in the
 * list. */
void gk_identity_certificates_tell(const struct gk_config *config);

#endif
