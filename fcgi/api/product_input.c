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
static const struct schema schema = {"ProductInput", ARRAY(fields)};

bool product_input_read(struct slice json, const char *shop_currency, struct arena *arena,
                        struct product_input *ret, struct faults *faults, struct err *err)
{
    const struct slice shop = slice_from_cstr(shop_currency);
    struct product_input in = {.description = SLICE(""), .currency = shop};
    bool good = schema_read(&schema, json, arena, &in, faults, err);
    if (!slice_equal(in.currency, shop)) { /* told beside the schema's faults, not after them */
        fault_add(faults, arena, "/", SLICE("currency"), "currency", "must be %s, not %.*s",
                  shop_currency, SLICE_ARG(in.currency));
        good = err_fail(err, &ERR_BODY_INVALID, "currency %.*s", SLICE_ARG(in.currency));
    }
    if (good)
        *ret = in;
    return good;
}
