/* SPDX-License-Identifier: Apache-2.0 */
/* gatekeyctl: the operator's command line, a client of the gateway's management listener. */
#include <string.h>

#include "ctl/client.h"
#include "ctl/options.h"

#ifndef GATEKEY_VERSION
#define GATEKEY_VERSION "unknown"
#endif

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("gatekeyctl " GATEKEY_VERSION);
        return CTL_OK;
    }
    const struct ctl_command *command = NULL;
    struct ctl_options options;
    enum ctl_exit code = ctl_options_parse(argc, argv, &command, &options);
    if (code != CTL_OK) {
        return (int)code;
    }
    if (options.help) {
        ctl_help_print(stdout, command, options.help_group);
        return CTL_OK;
    }
    ctl_client_global_init();
    code = command->run(&options);
    /* Output that did not get out is a failure: a script must not take half a key for a whole. */
    if (fflush(stdout) != 0 && code == CTL_OK) {
        code = ctl_fail(CTL_FAILED, "standard output cannot be written to");
    }
    return (int)code;
}
