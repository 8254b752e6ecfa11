#include "fcgi/pool/vault.h"

#include "tests/unit/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct vault *open_vault(void)
{
    struct err err = {0};
    struct vault *vault = vault_open(&err);
    ck_assert_msg(vault != NULL, "%s", err.cause);
    return vault;
}

START_TEST(vault_counts_publications)
{
    struct vault *vault = open_vault();
    struct vault_set got;
    vault_read(vault, &got);
    ck_assert_uint_eq(got.version, 0);
    for (uint64_t i = 1; i <= 3; i++) {
        struct vault_set set = {.login_known = true, .version = 99};
        snprintf(set.database_password, sizeof set.database_password, "p%d", (int)i);
        vault_publish(vault, &set);
        vault_read(vault, &got);
        ck_assert_uint_eq(got.version, i);
        ck_assert_uint_eq(vault_version(vault), i);
        ck_assert_str_eq(got.database_password, set.database_password);
    }
    munmap(vault, sizeof *vault);
}
END_TEST

/* Whoever waits for another login is not fooled by other secrets. */
START_TEST(vault_counts_logins)
{
    static const struct {
        const char *user, *password, *cognito;
        uint64_t login_version;
    } rows[] = {{"cbu", "p1", "", 1},
                {"cbu", "p1", "c1", 1},
                {"cbu", "p2", "c1", 3},
                {"cbu", "p2", "c2", 3},
                {"other", "p2", "c2", 5}};
    struct vault *vault = open_vault();
    ck_assert_uint_eq(vault_login_version(vault), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct vault_set set = {.login_known = true, .login_version = 99}, got;
        snprintf(set.database_user, sizeof set.database_user, "%s", rows[i].user);
        snprintf(set.database_password, sizeof set.database_password, "%s", rows[i].password);
        snprintf(set.cognito_client_secret, sizeof set.cognito_client_secret, "%s",
                 rows[i].cognito);
        vault_publish(vault, &set);
        vault_read(vault, &got);
        ck_assert_uint_eq(got.login_version, rows[i].login_version);
        ck_assert_uint_eq(vault_login_version(vault), rows[i].login_version);
    }
    munmap(vault, sizeof *vault);
}
END_TEST

/* A writer that never pauses, in another process: no reader ever sees parts of two sets. */
START_TEST(vault_sets_are_whole)
{
    struct vault *vault = open_vault();
    pid_t writer = fork();
    ck_assert_int_ge(writer, 0);
    if (writer == 0) {
        struct vault_set set = {0};
        for (int i = 0; i < 20000; i++) {
            memset(set.database_password, 'a' + i % 26, sizeof set.database_password - 1);
            memset(set.credentials.session_token, 'a' + i % 26,
                   sizeof set.credentials.session_token - 1);
            vault_publish(vault, &set);
        }
        _exit(0);
    }
    int status = -1;
    while (waitpid(writer, &status, WNOHANG) == 0) {
        struct vault_set got;
        vault_read(vault, &got);
        char c = got.database_password[0];
        ck_assert_int_eq(got.database_password[sizeof got.database_password - 2], c);
        ck_assert_int_eq(got.credentials.session_token[0], c);
        ck_assert_int_eq(got.credentials.session_token[sizeof got.credentials.session_token - 2],
                         c);
    }
    ck_assert_int_eq(status, 0);
    munmap(vault, sizeof *vault);
}
END_TEST

START_TEST(vault_wakes_the_keeper)
{
    sigset_t none;
    sigemptyset(&none);
    struct vault *vault = open_vault();
    ck_assert_uint_eq(vault_wait(vault, 0, &none), 0);
    pid_t worker = fork();
    ck_assert_int_ge(worker, 0);
    if (worker == 0) {
        vault_ask(vault, VAULT_NEED_LOGIN);
        vault_ask(vault, VAULT_NEED_COGNITO);
        _exit(0);
    }
    unsigned needs = vault_wait(vault, 60000, &none);
    ck_assert_uint_ne(needs, 0);
    ck_assert_int_eq(waitpid(worker, NULL, 0), worker);
    needs |= vault_wait(vault, 0, &none); /* the second may have come behind the first look */
    ck_assert_uint_eq(needs, VAULT_NEED_LOGIN | VAULT_NEED_COGNITO);
    ck_assert_uint_eq(vault_wait(vault, 0, &none), 0);
    munmap(vault, sizeof *vault);
}
END_TEST

/* "dd" among the flags of the mapping: the kernel leaves it out of core dumps. */
START_TEST(vault_is_in_no_core_dump)
{
    struct vault *vault = open_vault();
    char line[512];
    bool inside = false, left_out = false;
    FILE *maps = fopen("/proc/self/smaps", "r");
    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof line, maps)) {
        char *rest;
        uintptr_t begin = strtoul(line, &rest, 16);
        if (rest > line && *rest == '-') /* the first line of a mapping: "04a41000-04a50000 rw-s" */
            inside = begin == (uintptr_t)vault;
        if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            left_out = strstr(line, " dd") != NULL;
            break;
        }
    }
    fclose(maps);
    ck_assert(inside && left_out);
    munmap(vault, sizeof *vault);
}
END_TEST

void pool_vault(struct suite *s)
{
    suite_test(s, vault_counts_publications);
    suite_test(s, vault_counts_logins);
    suite_test(s, vault_sets_are_whole);
    suite_test(s, vault_wakes_the_keeper);
    suite_test(s, vault_is_in_no_core_dump);
}
