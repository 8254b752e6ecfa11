/* product_changes.h - what differs between two states of a product, for the audit log. Pure. */
#ifndef FCGI_API_PRODUCT_CHANGES_H
#define FCGI_API_PRODUCT_CHANGES_H

#include "fcgi/api/products_store.h"

/* Two states at their longest, as JSON, are below this. */
#define PRODUCT_CHANGES_BYTES KIB(48)

/* Appends {"name":{"before":"Tea","after":"Green tea"}}: the members a client can set that differ,
 * in the order of the API's; without `before` all that the new product has. */
void product_changes_write(struct buf *out, const struct product *before,
                           const struct product *after);

#endif
