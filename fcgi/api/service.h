/* service.h - the handler of "/": what this service is. */
#ifndef FCGI_API_SERVICE_H
#define FCGI_API_SERVICE_H

#include "fcgi/api/ctx.h"

extern const struct view service_view;
route_handler service_handler;

#endif
