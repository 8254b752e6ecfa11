#include "common/db/target.h"

#include "common/base/buf.h"
#include "common/base/hex.h"
#include "common/base/number.h"

#include <openssl/crypto.h>

#define MYSQL_PORT 3306

/* Percent-decodes into a NUL-terminated text; false when it is malformed, too long or holds a NUL.
 */
/* NOLINTNEXTLINE(readability-non-const-parameter): the builder writes through it. */
static bool decode(struct slice text, char *ret, size_t cap)
{
    struct buf out = {ret, 0, cap, false};
    for (size_t i = 0; i < text.len; i++) {
        int high = 0, low = 0;
        char c = text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3 || (high = hex_digit(text.ptr[i + 1])) < 0 ||
                (low = hex_digit(text.ptr[i + 2])) < 0 || high + low == 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        buf_add_char(&out, c);
    }
    return buf_cstr(&out) != NULL;
}

/* Takes the part of `*rest` up to `separator`; all of it when there is none. */
static struct slice take(struct slice *rest, char separator)
{
    struct slice part = {0};
    slice_cut(rest, separator, &part);
    return part;
}

static const char *parse_host(struct slice host_port, struct db_target *t)
{
    int64_t port = MYSQL_PORT;
    struct slice host = take(&host_port, ':');
    if (host.len == 0 || !decode(host, t->host, sizeof t->host))
        return "must name a host";
    if (host_port.ptr && number_parse_i64(host_port, 1, 65535, &port) != NUMBER_OK)
        return "must have a port from 1 to 65535";
    t->port = (unsigned)port;
    return NULL;
}

static const char *parse_user(struct slice user_password, struct db_target *t)
{
    struct slice user = take(&user_password, ':');
    if (user.len == 0 || !decode(user, t->user, sizeof t->user))
        return "must name a user before '@'";
    if (!decode(user_password, t->password, sizeof t->password))
        return "has a password that is too long or badly percent-encoded";
    return NULL;
}

static const char *parse_options(struct slice options, struct db_target *t)
{
    t->socket[0] = '\0';
    if (!options.ptr)
        return NULL;
    if (!slice_starts_with(options, SLICE("socket=")) ||
        !decode(slice_after(options, sizeof "socket=" - 1), t->socket, sizeof t->socket) ||
        t->socket[0] != '/')
        return "may have one option, socket=/path of at most 107 bytes";
    return NULL;
}

const char *db_target_parse(const char *url, struct db_target *ret)
{
    static const struct slice scheme = SLICE_INIT("mysql://");
    struct slice rest = slice_from_cstr(url);
    if (!slice_starts_with(rest, scheme))
        return "must begin with mysql://";
    rest = slice_after(rest, scheme.len);
    struct slice authority = take(&rest, '/'), name = take(&rest, '?');
    if (!slice_contains_byte(authority, '@'))
        return "must name a user before '@'";
    struct slice user_password = take(&authority, '@');
    if (name.len == 0 || !decode(name, ret->name, sizeof ret->name))
        return "must end with the database's name";
    const char *wrong = parse_user(user_password, ret);
    if (!wrong)
        wrong = parse_host(authority, ret);
    return wrong ? wrong : parse_options(rest, ret);
}

void db_target_wipe(struct db_target *target)
{
    OPENSSL_cleanse(target->password, sizeof target->password);
}
