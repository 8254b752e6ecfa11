#include "common/auth/user_pool.h"

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* The id goes into addresses as it is: nothing that means something there may be in it. */
const char *user_pool_fault(struct slice id)
{
    static const char wrong[] = "must be REGION_ID, letters and digits behind the '_'";
    struct slice rest = id, region = {0};
    slice_cut(&rest, '_', &region);
    for (size_t i = 0; i < region.len; i++)
        if (!is_letter_or_digit(region.ptr[i]) && region.ptr[i] != '-')
            return wrong;
    for (size_t i = 0; i < rest.len; i++)
        if (!is_letter_or_digit(rest.ptr[i]))
            return wrong;
    return region.len > 0 && rest.len > 0 ? NULL : wrong;
}

void user_pool_add_issuer(struct buf *out, struct slice id)
{
    struct slice rest = id, region = {0};
    slice_cut(&rest, '_', &region);
    buf_add(out, SLICE("https://cognito-idp."));
    buf_add(out, region);
    buf_add(out, SLICE(".amazonaws.com/"));
    buf_add(out, id);
}

void user_pool_add_jwks_url(struct buf *out, struct slice endpoint, struct slice id)
{
    if (endpoint.len > 0) {
        buf_add(out, endpoint);
        buf_add_char(out, '/');
        buf_add(out, id);
    } else {
        user_pool_add_issuer(out, id);
    }
    buf_add(out, SLICE("/.well-known/jwks.json"));
}
