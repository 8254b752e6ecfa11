/* product_edit.h - the handlers of /v1/products that write. Each change, its row in the audit log
 * and the answer that a repeated POST gets are one transaction. */
#ifndef FCGI_API_PRODUCT_EDIT_H
#define FCGI_API_PRODUCT_EDIT_H

#include "fcgi/api/ctx.h"

/* The longest valid product, every character of it written as \uXXXX\uXXXX, is below this. */
#define PRODUCT_BODY_LIMIT KIB(64)

route_handler product_create_handler, product_replace_handler, product_patch_handler,
    product_delete_handler, product_restore_handler;

#endif
