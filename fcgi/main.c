/* main.c - the program `cbu`: finds the subcommand and says how each is used. */
#include "common/run/log.h"
#include "fcgi/cli/commands.h"
#include "fcgi/cli/doctor.h"
#include "fcgi/pool/master.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

static int command_serve(int argc, char **argv)
{
    struct conf conf;
    (void)argc;
    (void)argv;
    if (!settings_read(USE_SERVE, &conf))
        return EX_CONFIG;
    log_start(STDOUT_FILENO, (enum log_level)conf.log_level);
    const struct doctor doctor = doctor_system(&conf);
    if (!doctor_admit(&doctor))
        return EX_CONFIG;
    const struct world world = world_system();
    return master_run(&conf, &world);
}

static int command_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("cbu " CBU_VERSION);
    return EX_OK;
}

static const struct command {
    const char *name, *arguments, *summary, *details;
    int (*run)(int argc, char **argv);
    int arguments_max;
} commands[] = {
    {"serve", "", "run the worker pool in the foreground",
     "Signals: SIGTERM or SIGINT stop gracefully, SIGHUP replaces the workers one by one,\n"
     "SIGTTIN adds a worker, SIGTTOU removes one. Logs JSON lines to standard output.\n"
     "Exit status: 0 stopped, 70 gave up after repeated quick crashes, 71 the system refused\n"
     "something at start, 78 bad settings or no socket.\n",
     command_serve, 0},
    {"status", "[--json]", "show what the pool does",
     "Asks the running master over STATUS_SOCKET. --json prints its answer as it is.\n"
     "Exit status: 0, or 69 when no master answers.\n",
     command_status, 1},
    {"healthcheck", "", "succeed when the master is alive (for container health checks)",
     "Asks /health/live over STATUS_SOCKET. Exit status: 0 alive, 1 not.\n", command_healthcheck,
     0},
    {"migrate", "", "bring the database's tables up to date",
     "Applies the SQL files of MIGRATIONS_DIR that were not applied yet, in order, under a lock.\n"
     "Uses MIGRATE_DATABASE_URL if set. Exit status: 0 up to date, 65 a file differs from what "
     "was\n"
     "applied, 69 the database is unavailable, 70 a statement failed, 78 bad settings or file\n"
     "names.\n",
     command_migrate, 0},
    {"import", "FILE|-", "load products from NDJSON, one JSON object a line",
     "Members: sku, name, category, price_minor and stock are required; description, brand,\n"
     "currency and status (active or draft) are optional. A product with the same SKU is "
     "replaced.\n"
     "Every refused line is reported with its number and reason; the others are kept.\n"
     "Exit status: 0 all loaded, 65 some lines were refused, 66 FILE cannot be read,\n"
     "69 the database is unavailable, 70 it refused a statement, 78 bad settings.\n",
     command_import, 1},
    {"config", "[--check|--json|--markdown]", "show the settings as this environment gives them",
     "Prints NAME=value lines, secrets as ***. --check proves that the settings fit to each "
     "other,\n"
     "to nginx, the load balancer, RDS Proxy, the kernel and the memory, and names what does not.\n"
     "--json prints names, values, defaults and limits, --markdown the reference table.\n"
     "Exit status: 0 (--check: warnings included), 78 bad settings or a broken rule.\n",
     command_config, 1},
    {"openapi", "", "print the API document (OpenAPI 3.1, JSON)",
     "What GET /openapi.json answers with the same settings. Exit status: 0, 70 it could\n"
     "not be made, 78 bad settings.\n",
     command_openapi, 0},
    {"version", "", "print the version", "", command_version, 0},
};

static void print_usage(FILE *to)
{
    fputs("usage: cbu COMMAND [ARGUMENTS]\n\ncommands:\n", to);
    for (size_t i = 0; i < COUNT(commands); i++)
        fprintf(to, "  %-11s %-13s %s\n", commands[i].name, commands[i].arguments,
                commands[i].summary);
    fputs("\ncbu COMMAND --help tells more; cbu config --help lists every setting.\n", to);
}

static int print_command_help(const struct command *command)
{
    printf("usage: cbu %s %s\n\n%s.\n%s", command->name, command->arguments, command->summary,
           command->details);
    if (command->run == command_serve || command->run == command_config) {
        puts("\nsettings (environment):");
        conf_print_help(&settings_table, stdout);
    }
    return EX_OK;
}

static bool is_help(const char *text)
{
    return strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (is_help(argv[i]))
            return print_command_help(command);
    if (argc - 1 > command->arguments_max) {
        fprintf(stderr, "cbu %s: too many arguments\nusage: cbu %s %s\n", command->name,
                command->name, command->arguments);
        return EX_USAGE;
    }
    return command->run(argc, argv);
}

/* No core dump, no debugger of another user: secrets are in our memory and our environment. The
 * leak check of a sanitizer build is a debugger to the system. */
static void protect_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 0);
#endif
}

int main(int argc, char **argv)
{
    protect_memory();
    if (argc < 2) {
        print_usage(stderr);
        return EX_USAGE;
    }
    bool help = is_help(argv[1]) || strcmp(argv[1], "help") == 0;
    if (help && argc == 2) {
        print_usage(stdout);
        return EX_OK;
    }
    const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[help ? 2 : 1];
    for (size_t i = 0; i < COUNT(commands); i++)
        if (strcmp(name, commands[i].name) == 0)
            return help ? print_command_help(&commands[i])
                        : run_command(&commands[i], argc - 1, argv + 1);
    fprintf(stderr, "cbu: there is no command '%s'\n\n", name);
    print_usage(stderr);
    return EX_USAGE;
}
