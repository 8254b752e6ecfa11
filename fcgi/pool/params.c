#include "fcgi/pool/params.h"

#include "common/base/macros.h"

#include <stddef.h>

#define PARAM(name, member)                                                                        \
    {                                                                                              \
        SLICE_INIT(name), offsetof(struct params, member)                                          \
    }
static const struct row {
    struct slice name;
    size_t offset;
} rows[] = {
    PARAM("REQUEST_METHOD", method),
    PARAM("REQUEST_URI", uri),
    PARAM("REQUEST_ID", request_id),
    PARAM("REQUEST_MSEC", msec),
    PARAM("REMOTE_ADDR", remote_addr),
    PARAM("HTTP_ACCEPT", accept),
    PARAM("HTTP_AUTHORIZATION", authorization),
    PARAM("HTTP_X_AMZN_TRACE_ID", trace_id),
    PARAM("HTTP_IF_NONE_MATCH", if_none_match),
    PARAM("HTTP_IF_MATCH", if_match),
    PARAM("HTTP_IDEMPOTENCY_KEY", idempotency_key),
    PARAM("HTTP_CONTENT_ENCODING", content_encoding),
    PARAM("CONTENT_TYPE", content_type),
    PARAM("CONTENT_LENGTH", content_length),
    PARAM("CONNECTION_CLOSE", connection_close),
};

void params_read(char *const *strings, struct params *ret)
{
    *ret = (struct params){0};
    for (; *strings; strings++) {
        struct slice value = slice_from_cstr(*strings), name = {0};
        slice_cut(&value, '=', &name);
        for (size_t i = 0; i < COUNT(rows); i++)
            if (slice_equal(name, rows[i].name)) {
                *(struct slice *)((char *)ret + rows[i].offset) = value;
                break;
            }
    }
}
