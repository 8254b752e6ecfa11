#include "fcgi/api/health.h"

#include "common/base/macros.h"

static const struct view_field live_fields[] = {
    VIEW_FIELD(health_live, status, TEXT, .choices = "ok"),
};
const struct view health_live_view = {"Liveness", ARRAY(live_fields)};

static const struct view_field check_fields[] = {
    VIEW_FIELD(health_check, ok, BOOL),
    VIEW_FIELD(health_check, detail, TEXT),
};
static const struct view check_view = {"Check", ARRAY(check_fields)};

static const struct view_field checks_fields[] = {
    VIEW_FIELD(health_checks, database, ONE, .view = &check_view),
    VIEW_FIELD(health_checks, secrets, ONE, .view = &check_view),
    VIEW_FIELD(health_checks, workers, ONE, .view = &check_view),
    VIEW_FIELD(health_checks, pool, ONE, .view = &check_view),
};
static const struct view checks_view = {"Checks", ARRAY(checks_fields)};

static const struct view_field ready_fields[] = {
    VIEW_FIELD(health_ready, status, TEXT, .choices = "ready|unready"),
    VIEW_FIELD(health_ready, checks, ONE, .view = &checks_view),
};
const struct view health_ready_view = {"Readiness", ARRAY(ready_fields)};
