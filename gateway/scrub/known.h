/* SPDX-License-Identifier: Apache-2.0 */
/* The containers that a walk came by, so that data of others is known to be nobody's. One thread. */
#ifndef GATEWAY_SCRUB_KNOWN_H
#define GATEWAY_SCRUB_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gatekey/types.h"

enum gk_known_state {
    GK_KNOWN_NOT,      /* no account has it */
    GK_KNOWN_READ,     /* all of its rows were read */
    GK_KNOWN_REMOVING, /* it waits for the reaper */
    GK_KNOWN_UNDECIDED /* some of its rows could not be read: what they refer to is unknown */
};

struct gk_known_entry {
    struct gk_id id;
    enum gk_known_state state;
};

struct gk_known {
    struct gk_known_entry *entries;
    size_t count;
    size_t cap;
    bool sorted;
    /* There are records of accounts or containers that could not be read: a container that is not known
     * may be theirs. */
    bool has_hidden;
};

void gk_known_init(struct gk_known *known);
void gk_known_cleanup(struct gk_known *known);
void gk_known_reset(struct gk_known *known);
/* Of several states of one container, the last enumerator counts. GK_E_RESOURCE. */
enum gk_status gk_known_add(struct gk_known *known, const struct gk_id *id,
                            enum gk_known_state state) GK_MUST_USE;
/* GK_KNOWN_UNDECIDED, too, for a container that is not known when there are hidden ones. */
enum gk_known_state gk_known_find(struct gk_known *known, const struct gk_id *id);

#endif
