/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: ask_store CONF KEYRING TIMEOUT_S
 *
 * Opens the store on RADOS as a gateway does and, for each line of input, asks for objects all over the
 * meta pool: "all" had an answer, "some", or "none". For away.py.
 */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/store/store.h"

#define OBJECTS 32u

static unsigned ask(struct gk_store *store)
{
    unsigned answered = 0;
    for (unsigned i = 0; i < OBJECTS; i++) {
        char name[16];
        struct gk_store_stat stat;
        snprintf(name, sizeof name, "ask-%u", i);
        const enum gk_status status = gk_store_stat(store, GK_POOL_META, name, &stat, NULL);
        if (status != GK_E_UNAVAILABLE) {
            answered++;
        } else if (answered == 0) {
            break; /* each of the others would wait for its time-out, too */
        }
    }
    return answered;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fputs("usage: ask_store CONF KEYRING TIMEOUT_S\n", stderr);
        return 2;
    }
    const struct gk_store_rados_options options = {
        .conf = argv[1], .keyring = argv[2], .op_timeout_s = (uint32_t)strtoul(argv[3], NULL, 10)};
    struct gk_store *store = NULL;
    struct gk_error error;
    if (gk_store_rados_open(&options, &store, &error) != GK_OK) {
        fprintf(stderr, "ask_store: %s\n", error.message);
        return 1;
    }
    ask(store); /* sessions with all OSDs */
    while (getchar() != EOF) {
        const unsigned answered = ask(store);
        puts(answered == OBJECTS ? "all" : answered > 0 ? "some" : "none");
        fflush(stdout);
    }
    gk_store_close(store);
    return 0;
}
