/* err.h - the one error type: what the client may see, and what only the log sees.
 * Functions that can fail return bool (an `open` returns NULL) and fill a `struct err`; they do not
 * log. A kind is the public half: an RFC 9457 problem. Kinds of products, users and so on stand in
 * fcgi/api/errors.h, made by the same macros. */
#ifndef COMMON_BASE_ERR_H
#define COMMON_BASE_ERR_H

#include "common/base/macros.h"

#include <stdbool.h>

struct err_kind {
    int status;          /* HTTP status code */
    const char *code;    /* stable, for programs: snake_case */
    const char *message; /* for people: one sentence */
};

struct err {
    const struct err_kind *kind; /* NULL: no error */
    char cause[256];             /* for the log only */
};

#define ERR_KINDS(X)                                                                               \
    X(ERR_BAD_REQUEST, 400, "bad_request", "The request is malformed.")                            \
    X(ERR_QUERY_INVALID, 400, "query_invalid", "The query string has invalid parameters.")         \
    X(ERR_CURSOR_INVALID, 400, "cursor_invalid",                                                   \
      "The cursor is not valid for this query; start again without it.")                           \
    X(ERR_JSON_INVALID, 400, "json_invalid", "The request body is not valid JSON.")                \
    X(ERR_NOT_FOUND, 404, "not_found", "There is nothing at this address.")                        \
    X(ERR_METHOD_NOT_ALLOWED, 405, "method_not_allowed",                                           \
      "This address does not support the method; Allow lists those it does.")                      \
    X(ERR_NOT_ACCEPTABLE, 406, "not_acceptable",                                                   \
      "This address has no answer of a type that Accept names.")                                   \
    X(ERR_BODY_TOO_LARGE, 413, "body_too_large", "The request body is larger than allowed.")       \
    X(ERR_MEDIA_TYPE, 415, "media_type_unsupported",                                               \
      "The request body is of a type that this address does not read.")                            \
    X(ERR_BODY_INVALID, 422, "body_invalid", "The request body does not match its schema.")        \
    X(ERR_INTERNAL, 500, "internal", "The service failed; the fault has been logged.")             \
    X(ERR_DATABASE_BUSY, 503, "database_busy",                                                     \
      "The change collided with others and was not made; try again.")                              \
    X(ERR_DATABASE_DOWN, 503, "database_down", "The database is unavailable; try again later.")    \
    X(ERR_DATABASE_SCHEMA, 503, "database_schema",                                                 \
      "The database is being brought up to date; try again later.")                                \
    X(ERR_WRITE_UNKNOWN, 503, "write_unknown",                                                     \
      "The database connection was lost; it is not known whether the change was made.")            \
    X(ERR_MIGRATION_CHANGED, 500, "migration_changed",                                             \
      "A migration differs from what was applied.")                                                \
    X(ERR_MIGRATION_FAILED, 500, "migration_failed", "A migration's statement failed.")            \
    X(ERR_SETTINGS_INVALID, 500, "settings_invalid", "The settings are invalid.")

#define ERR_DECLARE(name, status, code, message) extern const struct err_kind name;
#define ERR_DEFINE(name, status, code, message)                                                    \
    const struct err_kind name = {status, code, message};
ERR_KINDS(ERR_DECLARE)

/* Keeps the first failure, so a later one cannot hide its cause. Always returns false. */
bool err_fail(struct err *err, const struct err_kind *kind, const char *fmt, ...) PRINTF(3, 4);

#endif
