/* routes.h - the service at a glance: every address that the workers answer, in one table.
 * /health/live, /health/ready and /status are answered by the master (fcgi/pool/status.c). */
#ifndef FCGI_API_ROUTES_H
#define FCGI_API_ROUTES_H

#include "common/web/route.h"

extern const struct route_table api_routes;
/* What the master answers, for the API document; these rows have no handler. */
extern const struct route_table master_routes;

/* The largest request body any route takes, in bytes. */
size_t api_body_limit(void);

#endif
