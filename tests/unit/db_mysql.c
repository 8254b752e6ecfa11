#include "common/db/mysql.h"
#include "tests/unit/suites.h"

#include <string.h>

#define CR_CONNECTION_ERROR 2002 /* of both client libraries */

/* The rest of the driver needs a server: the integration tests have one. */
START_TEST(mysql_without_a_server)
{
    const struct db_driver *driver = &db_driver_mysql;
    const struct db_target target = {.host = "localhost",
                                     .user = "u",
                                     .password = "secret",
                                     .name = "n",
                                     .socket = "/nonexistent/socket",
                                     .connect_timeout_s = 1,
                                     .io_timeout_s = 1};
    void *link = driver->create(driver->ctx);
    ck_assert_ptr_nonnull(link);
    for (int i = 0; i < 2; i++) { /* a link may be tried again */
        ck_assert_uint_eq(driver->connect(link, &target), CR_CONNECTION_ERROR);
        ck_assert_msg(strncmp(driver->error_text(link), "2002 ", 5) == 0, "%s",
                      driver->error_text(link));
        ck_assert_ptr_null(strstr(driver->error_text(link), "secret"));
    }
    driver->disconnect(link); /* fine while disconnected */
    driver->destroy(link);
}
END_TEST

void db_mysql(struct suite *s)
{
    suite_test(s, mysql_without_a_server);
}
