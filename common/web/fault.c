#include "common/web/fault.h"

#include "common/base/json_write.h"
#include "common/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>

FAULT_KINDS(FAULT_DEFINE)

/* RFC 6901 section 3: '~' becomes "~0", '/' becomes "~1". A name can be as long as its sender
 * liked, so it is cut, but never within a character. */
static struct slice make_pointer(struct arena *arena, const char *prefix, struct slice name)
{
    char storage[160];
    struct buf out = BUF(storage);
    buf_add_cstr(&out, prefix);
    for (size_t i = 0, length; i < name.len && out.len < sizeof storage - 8; i += length) {
        length = utf8_sequence(name, i);
        if (length == 0) /* of a query; whoever writes it out replaces it */
            length = 1;
        if (name.ptr[i] == '~')
            buf_add(&out, SLICE("~0"));
        else if (name.ptr[i] == '/')
            buf_add(&out, SLICE("~1"));
        else
            buf_add(&out, (struct slice){name.ptr + i, length});
    }
    return arena_copy(arena, buf_slice(&out));
}

void fault_add(struct faults *faults, struct arena *arena, const char *prefix, struct slice name,
               const struct fault_kind *kind, const char *fmt, ...)
{
    if (faults->count == FAULTS_MAX)
        return;
    char text[200];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* a cut message still helps */
    va_end(args);
    faults->items[faults->count++] = (struct fault){make_pointer(arena, prefix, name), kind->code,
                                                    arena_copy(arena, slice_from_cstr(text))};
}

void faults_write(struct buf *out, const struct faults *faults)
{
    if (faults->count == 0)
        return;
    buf_add(out, SLICE(",\"errors\":["));
    for (size_t i = 0; i < faults->count; i++) {
        buf_add(out, i > 0 ? SLICE(",{") : SLICE("{"));
        json_add_member(out, "pointer", faults->items[i].pointer);
        json_add_member(out, "code", slice_from_cstr(faults->items[i].code));
        json_add_member(out, "message", faults->items[i].message);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}
