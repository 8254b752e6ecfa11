/* contract.h - what the route table promises, for the API document and for the tests that hold the
 * service to it. Pure. */
#ifndef FCGI_API_CONTRACT_H
#define FCGI_API_CONTRACT_H

#include "common/web/json_schema.h"
#include "common/web/route.h"

#define CONTRACT_KINDS_MAX 48

/* Every kind of error that the route may answer with, nginx's own included: those that its columns
 * imply and those it names itself, by status. Returns how many. */
size_t contract_errors(const struct route *route, const struct err_kind *ret[CONTRACT_KINDS_MAX]);

/* What a part in braces of a path is. */
struct contract_param {
    const char *name;
    bool is_number; /* from 1; else a text */
    const char *help, *example;
};
/* NULL: nobody has said what it is. */
const struct contract_param *contract_param_find(struct slice name);

/* The parts of the API, for the API document: each address belongs to the first whose prefix it
 * has. */
struct contract_tag {
    const char *prefix, *name, *help;
};
extern const struct contract_tag contract_tags[];
extern const size_t contract_tags_count;
const struct contract_tag *contract_tag_find(const char *path);

/* What each member of an input or an answer means. `currency` is the one of this deployment. */
#define CONTRACT_NOTES_MAX 64
struct contract_notes {
    struct note rows[CONTRACT_NOTES_MAX];
    struct notes notes; /* over `rows` */
};
void contract_notes_init(struct contract_notes *ret, const char *currency);

#endif
