#include "fcgi/api/openapi.h"

#include "fcgi/cli/commands.h"
#include "fcgi/settings.h"

#include <stdio.h>
#include <sysexits.h>

int command_openapi(int argc, char **argv)
{
    CLEANUP(openapi_done) struct openapi document = {0};
    struct conf conf;
    struct err err = {0};
    (void)argc;
    (void)argv;
    if (!settings_read(0, &conf))
        return EX_CONFIG;
    if (!openapi_make(conf.shop_currency, &document, &err)) {
        fprintf(stderr, "cbu openapi: %s\n", err.cause);
        return EX_SOFTWARE;
    }
    printf("%.*s\n", (int)document.len, document.text);
    return EX_OK;
}
