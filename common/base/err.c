#include "common/base/err.h"

#include <stdarg.h>
#include <stdio.h>

ERR_KINDS(ERR_DEFINE)

bool err_fail(struct err *err, const struct err_kind *kind, const char *fmt, ...)
{
    if (err->kind)
        return false;
    err->kind = kind;
    va_list args;
    va_start(args, fmt);
    /* A cut cause is still a cause: the result is not looked at on purpose. */
    (void)vsnprintf(err->cause, sizeof err->cause, fmt, args);
    va_end(args);
    return false;
}
