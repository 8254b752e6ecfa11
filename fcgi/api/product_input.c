#include "fcgi/api/product_input.h"

static const struct field fields[] = {
    FIELD_KEY(product_input, sku, REQUIRED, 1, 64),
    FIELD_LINE(product_input, name, REQUIRED, 1, 200),
    FIELD_TEXT(product_input, description, OPTIONAL, 0, 4000),
    FIELD_KEY(product_input, brand, OPTIONAL, 1, 100),
    FIELD_KEY(product_input, category, REQUIRED, 1, 100),
    FIELD_I64(product_input, price_minor, REQUIRED, 0, PRODUCT_PRICE_MAX),
    FIELD_KEY(product_input, currency, OPTIONAL, 3, 3),
    FIELD_I64(product_input, stock, REQUIRED, 0, PRODUCT_STOCK_MAX),
    FIELD_CHOICE(product_input, status, OPTIONAL, PRODUCT_STATUS_NAMES),
};
const struct schema product_input_schema = {"ProductInput", ARRAY(fields), .patch = false};
const struct schema product_patch_schema = {"ProductPatch", ARRAY(fields), .patch = true};

static struct product_input make_defaults(const char *shop_currency)
{
    return (struct product_input){.description = SLICE(""),
                                  .currency = slice_from_cstr(shop_currency)};
}

/* A fault of the currency is told beside the schema's faults, not after them. */
static bool check_currency(const struct product_input *in, const char *shop_currency,
                           struct arena *arena, struct faults *faults, struct err *err)
{
    if (slice_equal(in->currency, slice_from_cstr(shop_currency)))
        return true;
    fault_add(faults, arena, "/", SLICE("currency"), "currency", "must be %s, not %.*s",
              shop_currency, SLICE_ARG(in->currency));
    return err_fail(err, &ERR_BODY_INVALID, "currency %.*s", SLICE_ARG(in->currency));
}

bool product_input_read(struct slice json, const char *shop_currency, struct arena *arena,
                        struct product_input *ret, struct faults *faults, struct err *err)
{
    struct product_input in = make_defaults(shop_currency);
    bool good = schema_read(&product_input_schema, json, arena, &in, faults, err);
    if (!check_currency(&in, shop_currency, arena, faults, err) || !good)
        return false;
    *ret = in;
    return true;
}

bool product_input_patch(struct slice json, const char *shop_currency, struct arena *arena,
                         struct product_input *io, struct faults *faults, struct err *err)
{
    const struct product_input defaults = make_defaults(shop_currency);
    struct product_input in = *io;
    bool good = schema_patch(&product_patch_schema, json, arena, &defaults, &in, faults, err);
    if (!check_currency(&in, shop_currency, arena, faults, err) || !good)
        return false;
    *io = in;
    return true;
}

bool product_input_equal(const struct product_input *a, const struct product_input *b)
{
    return slice_equal(a->sku, b->sku) && slice_equal(a->name, b->name) &&
           slice_equal(a->description, b->description) && !a->brand.ptr == !b->brand.ptr &&
           slice_equal(a->brand, b->brand) && slice_equal(a->category, b->category) &&
           slice_equal(a->currency, b->currency) && a->price_minor == b->price_minor &&
           a->stock == b->stock && a->status == b->status;
}
