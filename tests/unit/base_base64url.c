#include "common/base/base64url.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

/* RFC 4648 section 10, less its padding; then the two letters that only this alphabet has. */
static const struct pair_row {
    struct slice bytes;
    const char *text;
} pair_rows[] = {
    {SLICE_INIT(""), ""},
    {SLICE_INIT("f"), "Zg"},
    {SLICE_INIT("fo"), "Zm8"},
    {SLICE_INIT("foo"), "Zm9v"},
    {SLICE_INIT("foob"), "Zm9vYg"},
    {SLICE_INIT("fooba"), "Zm9vYmE"},
    {SLICE_INIT("foobar"), "Zm9vYmFy"},
    {SLICE_INIT("\xFB\xFF\xBF"), "-_-_"},
    {SLICE_INIT("\0"), "AA"},
    {SLICE_INIT("\0\0\0"), "AAAA"},
    {SLICE_INIT("\xFF\xFF"), "__8"},
};
START_TEST(base64url_both_ways)
{
    const struct pair_row *r = &pair_rows[_i];
    char storage[16], back[16];
    struct buf b = BUF(storage), decoded = BUF(back);
    base64url_add(&b, r->bytes);
    ck_assert_text_eq(buf_slice(&b), r->text);
    ck_assert(base64url_decode(&decoded, buf_slice(&b)));
    ck_assert_slice_eq(buf_slice(&decoded), r->bytes);
}
END_TEST

static const char *const refused[] = {
    "Z",        "Zm9vY",                                 /* a lone letter spells no byte */
    "Zh",       "Zm9",                                   /* "f" and "fo" with one unused bit set */
    "Z_",       "Zm-",                                   /* all unused bits set */
    "Zg==",     "Zm8=",                                  /* padding */
    "Zm9v\n",   "Zm 9v",       " Zm9v", "Zm9v.", "+/+/", /* the other alphabet */
    "Zm9v\xC3", "Zm9vYmF\xFF",
};
START_TEST(base64url_refused)
{
    char storage[16];
    struct buf b = BUF(storage);
    buf_add_cstr(&b, "<");
    ck_assert_msg(!base64url_decode(&b, slice_from_cstr(refused[_i])), "%s", refused[_i]);
    ck_assert_text_eq(buf_slice(&b), "<");
    ck_assert(!b.full);
}
END_TEST

/* Each value has one spelling: of all texts of two letters only those decode that encoding makes.
 */
START_TEST(base64url_one_spelling)
{
    int good = 0;
    for (int pair = 0; pair < 65536; pair++) {
        const char text[] = {(char)(pair >> 8), (char)(pair & 0xFF)};
        char storage[4], again[4];
        struct buf bytes = BUF(storage), back = BUF(again);
        if (!base64url_decode(&bytes, (struct slice){text, 2}))
            continue;
        good++;
        base64url_add(&back, buf_slice(&bytes));
        ck_assert_slice_eq(buf_slice(&back), ((struct slice){text, 2}));
    }
    ck_assert_int_eq(good, 256);
}
END_TEST

START_TEST(base64url_into_a_full_buffer)
{
    char storage[3];
    struct buf b = BUF(storage);
    base64url_add(&b, SLICE("foo"));
    ck_assert(b.full);
    b = BUF(storage);
    ck_assert(base64url_decode(&b, SLICE("Zm9vYmFy"))); /* well formed, but `full` */
    ck_assert(b.full);
}
END_TEST

void base_base64url(struct suite *s)
{
    suite_rows(s, base64url_both_ways, COUNT(pair_rows));
    suite_rows(s, base64url_refused, COUNT(refused));
    suite_test(s, base64url_one_spelling);
    suite_test(s, base64url_into_a_full_buffer);
}
