#include "common/db/mysql.h"

#include "common/db/server_error.h"

#include <errmsg.h>
#include <mysql.h>
#include <poll.h>
#include <stdlib.h>

struct link {
    MYSQL *mysql; /* NULL while disconnected */
    char error[512];
};

static void *link_create(void *ctx)
{
    (void)ctx;
    return calloc(1, sizeof(struct link));
}

static void link_disconnect(void *of)
{
    struct link *link = of;
    if (link->mysql)
        mysql_close(link->mysql);
    link->mysql = NULL;
}

static void link_destroy(void *of)
{
    link_disconnect(of);
    free(of);
}

/* The two libraries name the same wish differently, and neither knows the other's names
 * (MYSQL_VERSION_ID does not tell them apart). */
static bool require_verified_tls(MYSQL *mysql, const char *ca_file)
{
#ifdef MARIADB_PACKAGE_VERSION
    my_bool yes = 1;
    return mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes) == 0 &&
           mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes) == 0 &&
           mysql_options(mysql, MYSQL_OPT_SSL_CA, ca_file) == 0;
#else
    unsigned mode = SSL_MODE_VERIFY_IDENTITY;
    return mysql_options(mysql, MYSQL_OPT_SSL_MODE, &mode) == 0 &&
           mysql_options(mysql, MYSQL_OPT_SSL_CA, ca_file) == 0;
#endif
}

/* Without TLS on TCP, libmariadb would silently fetch the server's RSA key from whoever answers.
 * The protocol is named, since to both libraries "localhost" is a socket of their own choice. */
static bool set_options(MYSQL *mysql, const struct db_target *target)
{
    const unsigned protocol = target->socket[0] ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    return mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol) == 0 &&
           mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &target->connect_timeout_s) == 0 &&
           mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &target->io_timeout_s) == 0 &&
           mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &target->io_timeout_s) == 0 &&
           mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4") == 0 &&
           (target->socket[0] || require_verified_tls(mysql, target->ca_file));
}

static unsigned keep_error(struct link *link)
{
    unsigned number = mysql_errno(link->mysql);
    struct buf text = BUF(link->error);
    server_error_add(&text, number, slice_from_cstr(mysql_error(link->mysql)));
    if (!buf_cstr(&text))
        link->error[0] = '\0';
    return number > 0 ? number : CR_UNKNOWN_ERROR;
}

static unsigned link_connect(void *of, const struct db_target *target)
{
    struct link *link = of;
    link_disconnect(link);
    link->mysql = mysql_init(NULL);
    if (!link->mysql) {
        struct buf text = BUF(link->error);
        buf_add(&text, SLICE("no memory for a connection"));
        return buf_cstr(&text) ? CR_OUT_OF_MEMORY : CR_UNKNOWN_ERROR;
    }
    bool by_socket = target->socket[0] != '\0';
    if (set_options(link->mysql, target) &&
        mysql_real_connect(link->mysql, by_socket ? NULL : target->host, target->user,
                           target->password, target->name, by_socket ? 0 : target->port,
                           by_socket ? target->socket : NULL, 0))
        return 0;
    unsigned number = keep_error(link);
    link_disconnect(link);
    return number;
}

static unsigned link_send(void *of, struct slice sql)
{
    struct link *link = of;
    return mysql_send_query(link->mysql, sql.ptr, sql.len) == 0 ? 0 : keep_error(link);
}

/* Also for the connection that is lost: receiving says so. */
static bool link_is_answered(void *of, int wait_ms)
{
    const struct link *link = of;
    struct pollfd answer = {.fd = (int)link->mysql->net.fd, .events = POLLIN};
    return poll(&answer, 1, wait_ms) != 0;
}

static unsigned link_receive(void *of, void **ret_result)
{
    struct link *link = of;
    if (mysql_read_query_result(link->mysql) != 0)
        return keep_error(link);
    /* The whole result is fetched here, so that a connection lost half-way is one clear failure. */
    MYSQL_RES *result = mysql_store_result(link->mysql);
    if (!result && mysql_field_count(link->mysql) > 0)
        return keep_error(link);
    *ret_result = result;
    return 0;
}

static unsigned link_query(void *of, struct slice sql, void **ret_result)
{
    unsigned number = link_send(of, sql);
    return number == 0 ? link_receive(of, ret_result) : number;
}

static const char *link_error_text(void *of)
{
    return ((struct link *)of)->error;
}

static const char *link_server_info(void *of)
{
    return mysql_get_server_info(((struct link *)of)->mysql);
}

static int64_t link_affected_rows(void *of)
{
    return (int64_t)mysql_affected_rows(((struct link *)of)->mysql);
}

static int64_t link_insert_id(void *of)
{
    return (int64_t)mysql_insert_id(((struct link *)of)->mysql);
}

static bool result_next_row(void *result, struct slice *ret_cells, size_t count)
{
    MYSQL_ROW row = mysql_fetch_row(result);
    if (!row)
        return false;
    const unsigned long *lengths = mysql_fetch_lengths(result);
    for (size_t i = 0; i < count; i++)
        ret_cells[i] = (struct slice){row[i], row[i] ? lengths[i] : 0};
    return true;
}

static size_t result_column_count(void *result)
{
    return mysql_num_fields(result);
}

static void result_free(void *result)
{
    mysql_free_result(result);
}

const struct db_driver db_driver_mysql = {
    .create = link_create,
    .destroy = link_destroy,
    .connect = link_connect,
    .query = link_query,
    .disconnect = link_disconnect,
    .error_text = link_error_text,
    .server_info = link_server_info,
    .affected_rows = link_affected_rows,
    .insert_id = link_insert_id,
    .next_row = result_next_row,
    .column_count = result_column_count,
    .result_free = result_free,
    .send = link_send,
    .is_answered = link_is_answered,
    .receive = link_receive,
};
