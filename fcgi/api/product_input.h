/* product_input.h - a product as it comes in: the writable members, their limits and defaults, in
 * one table for import lines and the write endpoints. */
#ifndef FCGI_API_PRODUCT_INPUT_H
#define FCGI_API_PRODUCT_INPUT_H

#include "common/web/schema.h"

#define PRODUCT_PRICE_MAX INT64_C(999999999999)
#define PRODUCT_STOCK_MAX INT64_C(999999999)

#define PRODUCT_STATUS_NAMES "active|draft"

struct product_input {
    struct slice sku, name, description, brand /* ptr NULL: none */, category, currency;
    int64_t price_minor, stock;
    int64_t status; /* 0 active, 1 draft, as in the table */
};

extern const struct schema product_input_schema, product_patch_schema;

/* Errors: those of schema_read(); a currency other than the shop's is a fault of the body. */
bool product_input_read(struct slice json, const char *shop_currency, struct arena *arena,
                        struct product_input *ret, struct faults *faults, struct err *err) MUST_USE;

/* Applies a merge patch to `io`; the result must be a product that product_input_read() would take,
 * whether the patch touches what is wrong or not. Errors: as above. */
bool product_input_patch(struct slice json, const char *shop_currency, struct arena *arena,
                         struct product_input *io, struct faults *faults, struct err *err) MUST_USE;

/* Whether both are the same product, byte by byte. */
bool product_input_equal(const struct product_input *a, const struct product_input *b);

#endif
