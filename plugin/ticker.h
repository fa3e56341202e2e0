/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds in all accounts in memory what is due, and starts it; closes those that nobody uses, and has those opened
 * again whose time has come. Of the accounts that are wrapped by the same version
 * of a key, and ask as the same identity, one asks the vault for all; the first of them to be due takes the others
 * along, so that they come in step and a key costs one call an interval, however many accounts stand on it.
 */
#ifndef PLUGIN_TICKER_H
#define PLUGIN_TICKER_H

#include "plugin/instance.h"

/* One look. On the provider's thread; does not block. */
void gk_ticker_look(struct gk_instance *instance);

#endif
