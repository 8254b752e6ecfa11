/* main.c - runs the unit tests: unit [--tap FILE] [--xml FILE] [WORDS]
 * WORDS selects the tests whose "folder/module/test" names contain it. Exit codes are those of
 * pytest, as tests/runner knows them: 0 all passed, 1 some failed, 5 none was selected. */
#include "common/base/macros.h"
#include "tests/unit/suites.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#define EXIT_NONE_SELECTED 5

static const struct row {
    const char *name;
    void (*add)(struct suite *s);
} rows[] = {
#define SUITE_ROW(name, add) {name, add},
    SUITES(SUITE_ROW)};

struct options {
    const char *tap, *xml, *selection;
};

static struct options read_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"tap", required_argument, NULL, 't'}, {"xml", required_argument, NULL, 'x'}, {0}};
    struct options options = {.selection = ""};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 't') {
            options.tap = optarg;
        } else if (option == 'x') {
            options.xml = optarg;
        } else {
            fprintf(stderr, "usage: %s [--tap FILE] [--xml FILE] [WORDS]\n", argv[0]);
            exit(EX_USAGE);
        }
    }
    if (optind < argc)
        options.selection = argv[optind];
    return options;
}

int main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct suite suite = {rows[i].name, options.selection, NULL};
        rows[i].add(&suite);
        if (suite.check)
            srunner_add_suite(runner, suite.check);
    }
    if (options.tap)
        srunner_set_tap(runner, options.tap);
    if (options.xml)
        srunner_set_xml(runner, options.xml);
    srunner_run_all(runner, CK_ENV); /* CK_VERBOSITY; failures and the sum without it */
    int run = srunner_ntests_run(runner), failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (run == 0) {
        fprintf(stderr, "no test's name contains \"%s\"\n", options.selection);
        return EXIT_NONE_SELECTED;
    }
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
