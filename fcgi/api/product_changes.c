#include "fcgi/api/product_changes.h"

#include "common/base/json_write.h"

static const struct member {
    const char *name;
    size_t offset;
    bool number; /* else a text, ptr NULL: none */
} members[] = {
    {"sku", offsetof(struct product, sku), false},
    {"name", offsetof(struct product, name), false},
    {"description", offsetof(struct product, description), false},
    {"brand", offsetof(struct product, brand), false},
    {"category", offsetof(struct product, category), false},
    {"price_minor", offsetof(struct product, price_minor), true},
    {"currency", offsetof(struct product, currency), false},
    {"stock", offsetof(struct product, stock), true},
    {"status", offsetof(struct product, status), false},
};

static const void *value_at(const struct product *product, const struct member *m)
{
    return (const char *)product + m->offset;
}

static bool differs(const struct member *m, const struct product *before,
                    const struct product *after)
{
    if (m->number)
        return !before ||
               *(const int64_t *)value_at(before, m) != *(const int64_t *)value_at(after, m);
    const struct slice none = {0};
    const struct slice *old = before ? value_at(before, m) : &none, *new = value_at(after, m);
    return !old->ptr != !new->ptr || !slice_equal(*old, *new);
}

static void add_value(struct buf *out, const struct member *m, const struct product *product)
{
    if (product && m->number)
        buf_add_i64(out, *(const int64_t *)value_at(product, m));
    else if (product && ((const struct slice *)value_at(product, m))->ptr)
        json_add_string(out, *(const struct slice *)value_at(product, m));
    else
        buf_add(out, SLICE("null"));
}

void product_changes_write(struct buf *out, const struct product *before,
                           const struct product *after)
{
    buf_add_char(out, '{');
    for (size_t i = 0; i < COUNT(members); i++) {
        const struct member *m = &members[i];
        if (!differs(m, before, after))
            continue;
        json_add_name(out, m->name);
        buf_add(out, SLICE("{\"before\":"));
        add_value(out, m, before);
        buf_add(out, SLICE(",\"after\":"));
        add_value(out, m, after);
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}
