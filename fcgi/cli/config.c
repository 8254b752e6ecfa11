#include "fcgi/cli/commands.h"

#include "fcgi/settings.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

int command_config(int argc, char **argv)
{
    struct conf conf;
    if (argc > 1 && strcmp(argv[1], "--markdown") == 0) {
        conf_print_markdown(&settings_table, stdout);
        return EX_OK;
    }
    if (argc > 1) {
        fprintf(stderr, "cbu config: unknown option '%s'\n", argv[1]);
        return EX_USAGE;
    }
    if (!settings_read(USE_SERVE, &conf))
        return EX_CONFIG;
    conf_print_values(&settings_table, &conf, stdout);
    return EX_OK;
}
