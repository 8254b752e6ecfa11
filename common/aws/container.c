#include "common/aws/container.h"

#include "common/aws/answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---- the address ---- */

static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return text.len > 0;
}

/* The host without its port; "[::1]" keeps its brackets. */
static struct slice host_of(struct slice authority)
{
    struct slice rest = authority, host = {0};
    if (authority.len > 0 && authority.ptr[0] == '[') {
        slice_cut(&rest, ']', &host);
        return (struct slice){host.ptr, rest.ptr ? host.len + 1 : 0};
    }
    slice_cut(&rest, ':', &host);
    return host;
}

/* 127.0.0.0/8 in its usual form; anything else that resolves to it is not taken for it. */
static bool is_loopback(struct slice host)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    return slice_to_cstr(host, text, sizeof text) && inet_pton(AF_INET, text, &address) == 1 &&
           ntohl(address.s_addr) >> 24 == 127;
}

static bool is_trusted_plain(struct slice host)
{
    static const struct slice hosts[] = {
        SLICE_INIT("169.254.170.2"),  /* ECS */
        SLICE_INIT("169.254.170.23"), /* EKS Pod Identity */
        SLICE_INIT("[fd00:ec2::23]"), /* the same, IPv6 */
        SLICE_INIT("localhost"),      SLICE_INIT("[::1]"),
    };
    for (size_t i = 0; i < COUNT(hosts); i++)
        if (slice_equal_ignore_case(host, hosts[i]))
            return true;
    return is_loopback(host);
}

/* The authority ends where a path, a query or a fragment begins; a backslash, which some parsers
 * take for a slash, is not let through at all. */
static struct slice authority_of(struct slice rest)
{
    for (size_t i = 0; i < rest.len; i++)
        if (slice_contains_byte(SLICE("/?#"), rest.ptr[i]))
            return (struct slice){rest.ptr, i};
    return rest;
}

static const char *wrong_with_full_uri(struct slice uri)
{
    static const struct slice http = SLICE_INIT("http://"), https = SLICE_INIT("https://");
    if (!is_printable(uri) || slice_contains_byte(uri, '\\'))
        return "holds a blank, a backslash or a control character";
    bool plain = slice_starts_with(uri, http);
    if (!plain && !slice_starts_with(uri, https))
        return "must begin with http:// or https://";
    struct slice authority = authority_of(slice_after(uri, plain ? http.len : https.len));
    if (authority.len == 0 || slice_contains_byte(authority, '@'))
        return "must name a host and no user";
    if (plain && !is_trusted_plain(host_of(authority)))
        return "must be https unless its host is loopback, 169.254.170.2, 169.254.170.23 or "
               "[fd00:ec2::23]";
    return NULL;
}

bool container_url(const char *relative_uri, const char *full_uri, struct arena *arena,
                   struct slice *ret, struct err *err)
{
    static const struct slice ecs = SLICE_INIT("http://169.254.170.2");
    struct slice relative = slice_from_cstr(relative_uri), full = slice_from_cstr(full_uri);
    if (relative.len > 0) { /* wins over the full one, as in all SDKs */
        if (relative.ptr[0] != '/' || !is_printable(relative))
            return err_fail(err, &ERR_CREDENTIALS_ABSENT,
                            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must begin with / and hold no "
                            "blank");
        struct buf out = arena_buf(arena, ecs.len + relative.len);
        buf_add(&out, ecs);
        buf_add(&out, relative);
        *ret = buf_slice(&out);
        return !out.full || err_fail(err, &ERR_INTERNAL, "address too large");
    }
    const char *wrong = wrong_with_full_uri(full);
    if (wrong)
        return err_fail(err, &ERR_CREDENTIALS_ABSENT, "AWS_CONTAINER_CREDENTIALS_FULL_URI %s",
                        wrong);
    *ret = full;
    return true;
}

/* ---- the token ---- */

static void close_file(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static bool read_token_file(const char *path, struct arena *arena, struct slice *ret,
                            struct err *err)
{
    CLEANUP(close_file) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char *bytes = arena_alloc(arena, CONTAINER_TOKEN_MAX + 1, 1);
    ssize_t got = fd >= 0 && bytes ? read(fd, bytes, CONTAINER_TOKEN_MAX + 1) : -1;
    if (got < 0)
        return err_fail(err, &ERR_CREDENTIALS_ABSENT, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: %s",
                        strerror(errno));
    if ((size_t)got > CONTAINER_TOKEN_MAX)
        return err_fail(err, &ERR_CREDENTIALS_ABSENT,
                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE is too large");
    *ret = (struct slice){bytes, (size_t)got};
    return true;
}

bool container_token(const char *token, const char *token_file, struct arena *arena,
                     struct slice *ret, struct err *err)
{
    struct slice value = slice_from_cstr(token);
    if (token_file && *token_file && !read_token_file(token_file, arena, &value, err))
        return false;
    if (slice_contains_byte(value, '\r') || slice_contains_byte(value, '\n') ||
        slice_contains_byte(value, '\0'))
        return err_fail(err, &ERR_CREDENTIALS_ABSENT,
                        "the container's authorization token holds a line break");
    *ret = value.len > 0 ? value : (struct slice){0};
    return true;
}

/* ---- the answer ---- */

bool container_read(struct slice body, struct arena *arena, struct credentials *ret,
                    struct err *err)
{
    struct slice key = {0}, secret = {0}, token = {0}, expiration = {0};
    const struct answer_field fields[] = {{"AccessKeyId", &key, true},
                                          {"SecretAccessKey", &secret, true},
                                          {"Token", &token, false},
                                          {"Expiration", &expiration, false}};
    CLEANUP(credentials_wipe) struct credentials made = {.source = CREDENTIALS_CONTAINER};
    if (!answer_read_json(body, ARRAY(fields), arena, err))
        return false;
    if (!slice_to_cstr(key, made.access_key, sizeof made.access_key) ||
        !slice_to_cstr(secret, made.secret_key, sizeof made.secret_key) ||
        !slice_to_cstr(token, made.session_token, sizeof made.session_token))
        return err_fail(err, &ERR_AWS_ANSWER, "credentials longer than any AWS gives");
    if (expiration.len > 0) {
        made.expires_s = answer_time_rfc3339(expiration);
        if (made.expires_s <= 0)
            return err_fail(err, &ERR_AWS_ANSWER, "Expiration is no time");
    }
    *ret = made;
    return true;
}
