/* categories.h - the handlers of /v1/categories. */
#ifndef FCGI_API_CATEGORIES_H
#define FCGI_API_CATEGORIES_H

#include "fcgi/api/ctx.h"

extern const struct view category_view;
extern const struct query_table category_list_query;
route_handler category_list_handler;

#endif
