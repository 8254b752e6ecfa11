#include "common/web/media.h"

enum fit { FIT_NONE, FIT_ALL, FIT_FAMILY, FIT_EXACT };

/* How closely a range like "text/" + "*" fits the type. Old Java clients write "*" for all. */
static enum fit fit(struct slice range, struct slice type)
{
    if (slice_equal(range, SLICE("*/*")) || slice_equal(range, SLICE("*")))
        return FIT_ALL;
    if (slice_equal_ignore_case(range, type))
        return FIT_EXACT;
    struct slice family = {range.ptr, range.len - 1}; /* "text/" */
    if (range.len < 3 || range.ptr[range.len - 1] != '*' || range.ptr[range.len - 2] != '/' ||
        family.len > type.len)
        return FIT_NONE;
    return slice_equal_ignore_case(family, (struct slice){type.ptr, family.len}) ? FIT_FAMILY
                                                                                 : FIT_NONE;
}

/* The value of a parameter; ptr NULL when there is none of this name. */
static struct slice find_param(struct slice params, struct slice name)
{
    struct slice param, found;
    while (slice_cut(&params, ';', &param)) {
        struct slice value = param;
        if (slice_cut(&value, '=', &found) && value.ptr &&
            slice_equal_ignore_case(slice_trim(found), name))
            return slice_trim(value);
    }
    return (struct slice){0};
}

/* "q=0", "q=0.000": not this one. */
static bool is_refused(struct slice params)
{
    struct slice q = find_param(params, SLICE("q"));
    for (size_t i = 0; i < q.len; i++)
        if (q.ptr[i] != '0' && q.ptr[i] != '.')
            return false;
    return q.len > 0;
}

/* The closest fit of the ranges, and whether it refuses the type. */
static enum fit best_fit(struct slice accept, struct slice type, bool *ret_refused)
{
    struct slice params, range;
    enum fit best = FIT_NONE;
    *ret_refused = false;
    while (slice_cut(&accept, ',', &params)) {
        slice_cut(&params, ';', &range);
        enum fit this = fit(slice_trim(range), type);
        bool refused = is_refused(params);
        if (this == FIT_NONE || this < best)
            continue;
        *ret_refused = this == best ? *ret_refused && refused : refused;
        best = this;
    }
    return best;
}

bool media_accepts(struct slice accept, struct slice type)
{
    bool refused;
    return slice_trim(accept).len == 0 || (best_fit(accept, type, &refused) && !refused);
}

bool media_names(struct slice accept, struct slice type)
{
    bool refused;
    return best_fit(accept, type, &refused) == FIT_EXACT && !refused;
}

bool media_is(struct slice content_type, struct slice type)
{
    struct slice params = content_type, name;
    slice_cut(&params, ';', &name);
    struct slice charset = find_param(params, SLICE("charset"));
    return slice_equal_ignore_case(slice_trim(name), type) &&
           (!charset.ptr || slice_equal_ignore_case(charset, SLICE("utf-8")) ||
            slice_equal_ignore_case(charset, SLICE("\"utf-8\"")));
}
