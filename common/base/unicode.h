/* unicode.h - which characters leave nothing to be seen. Pure. */
#ifndef COMMON_BASE_UNICODE_H
#define COMMON_BASE_UNICODE_H

#include "common/base/slice.h"

#include <stdint.h>

/* Of code points, both ends included. */
struct unicode_range {
    uint32_t first, last;
};
/* In ascending order: the properties White_Space and Default_Ignorable_Code_Point (zero width,
 * direction marks, variation selectors, fillers), control characters, and U+2800, a Braille cell
 * without dots. Source: PropList.txt and DerivedCoreProperties.txt of Unicode 16. */
extern const struct unicode_range unicode_unseen[];
extern const size_t unicode_unseen_count;

/* Whether well-formed text has a character that can be seen. */
bool unicode_shows(struct slice text);

#endif
