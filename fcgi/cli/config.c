#include "fcgi/cli/commands.h"

#include "common/base/json_write.h"
#include "fcgi/cli/doctor.h"
#include "fcgi/cli/nginx_variables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static void print_nginx(FILE *to)
{
    struct slice rest = nginx_variables_text();
    struct nginx_variable variable;
    const char *before = "[";
    for (; nginx_variables_next(&rest, &variable); before = ",") {
        char storage[64 * 1024], name[64];
        struct buf b = BUF(storage);
        const char *value = slice_to_cstr(variable.name, name, sizeof name) ? getenv(name) : NULL;
        buf_add_char(&b, '{');
        json_add_member(&b, "name", variable.name);
        json_add_member(&b, "value", value && *value ? slice_from_cstr(value) : variable.fallback);
        json_add_member(&b, "default", variable.fallback);
        json_add_member(&b, "allowed", variable.allowed);
        fprintf(to, "%s\n    %.*s}", before, SLICE_ARG(buf_slice(&b)));
    }
    fputs("\n  ]", to);
}

static void print_facts(FILE *to)
{
    for (size_t i = 0; i < doctor_facts_count; i++) {
        char storage[512];
        struct buf b = BUF(storage);
        buf_add_char(&b, '{');
        json_add_member(&b, "name", slice_from_cstr(doctor_facts[i].name));
        json_add_member_i64(&b, "value", doctor_facts[i].value);
        json_add_member(&b, "source", slice_from_cstr(doctor_facts[i].source));
        fprintf(to, "%s\n    %.*s}", i == 0 ? "[" : ",", SLICE_ARG(buf_slice(&b)));
    }
    fputs("\n  ]", to);
}

static int print_json(void)
{
    fputs("{\n  \"settings\": ", stdout);
    conf_print_json(&settings_table, getenv, stdout);
    fputs(",\n  \"nginx\": ", stdout);
    print_nginx(stdout);
    fputs(",\n  \"facts\": ", stdout);
    print_facts(stdout);
    fputs("\n}\n", stdout);
    return EX_OK;
}

static int check(const struct conf *conf)
{
    struct doctor doctor = doctor_system(conf);
    return doctor_report(&doctor, true, stdout) ? EX_OK : EX_CONFIG;
}

int command_config(int argc, char **argv)
{
    struct conf conf;
    const char *option = argc > 1 ? argv[1] : "";
    if (strcmp(option, "--markdown") == 0) {
        conf_print_markdown(&settings_table, stdout);
        return EX_OK;
    }
    if (strcmp(option, "--json") == 0)
        return print_json();
    if (argc > 1 && strcmp(option, "--check") != 0) {
        fprintf(stderr, "cbu config: unknown option '%s'\n", option);
        return EX_USAGE;
    }
    if (!settings_read(USE_SERVE, &conf))
        return EX_CONFIG;
    if (argc > 1)
        return check(&conf);
    conf_print_values(&settings_table, &conf, stdout);
    return EX_OK;
}
