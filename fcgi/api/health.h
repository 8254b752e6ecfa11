/* health.h - what /health/live and /health/ready answer. The master fills it in
 * (fcgi/pool/status.c), also when every worker is busy. */
#ifndef FCGI_API_HEALTH_H
#define FCGI_API_HEALTH_H

#include "common/web/view.h"

struct health_live {
    struct slice status;
};
extern const struct view health_live_view;

struct health_check {
    bool ok;
    struct slice detail; /* for people */
};
struct health_ready {
    struct slice status; /* "ready" or "unready" */
    struct health_checks {
        struct health_check database, secrets, workers, pool;
    } checks;
};
extern const struct view health_ready_view;

#endif
