/* status_page.h - the status of the pool for people: one HTML page that asks for itself again every
 * two seconds, without scripts and without anything from elsewhere. Pure. */
#ifndef FCGI_POOL_STATUS_PAGE_H
#define FCGI_POOL_STATUS_PAGE_H

#include "fcgi/pool/status.h"

void status_page_write(const struct status_source *source, int64_t now_ms, struct reply *reply);

#endif
