/* nginx_variables.h - nginx's own settings, as nginx/variables lists them. The file itself is part
 * of the program, so that names and defaults stand nowhere else; nginx/render stays the judge of
 * the values. Pure. */
#ifndef FCGI_CLI_NGINX_VARIABLES_H
#define FCGI_CLI_NGINX_VARIABLES_H

#include "common/base/slice.h"

struct nginx_variable {
    struct slice name, fallback, allowed; /* `allowed`: a range min..max, or a kind */
};

/* Takes the next row of the table from `*rest`, which begins as nginx_variables_text(). False when
 * there is none left. */
bool nginx_variables_next(struct slice *rest, struct nginx_variable *ret);
struct slice nginx_variables_text(void);

#endif
