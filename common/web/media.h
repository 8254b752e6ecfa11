/* media.h - media types in header fields: what a client takes, and what it sends. Pure.
 * Source: RFC 9110 sections 8.3 (Content-Type) and 12.5.1 (Accept). */
#ifndef COMMON_WEB_MEDIA_H
#define COMMON_WEB_MEDIA_H

#include "common/base/slice.h"

/* Whether an Accept value takes answers of this type: the most specific range that fits decides,
 * and refuses with q=0. No value takes everything. Parameters of a range but `q` are ignored. */
bool media_accepts(struct slice accept, struct slice type);
/* Whether an Accept value names exactly this type, not by a wildcard, and does not refuse it. */
bool media_names(struct slice accept, struct slice type);
/* Whether a Content-Type value is this type, in UTF-8 where it names a charset. */
bool media_is(struct slice content_type, struct slice type);

#endif
