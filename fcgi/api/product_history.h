/* product_history.h - the handler of /v1/products/{id}/history: who changed a product, and how. */
#ifndef FCGI_API_PRODUCT_HISTORY_H
#define FCGI_API_PRODUCT_HISTORY_H

#include "fcgi/api/ctx.h"

/* What the audit log says was done to a product. */
#define PRODUCT_ACTION_NAMES "created|changed|deleted|restored"

extern const struct view change_view;
extern const struct query_table product_history_query;
route_handler product_history_handler;

#endif
