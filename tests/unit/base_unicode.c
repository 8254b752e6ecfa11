#include "common/base/unicode.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

static const struct row {
    const char *text;
    bool shows;
} rows[] = {
    {"", false},
    {" \t\r\n", false},
    {"a", true},
    {" a ", true},
    {"!", true},
    {"\x7F", false},
    {"~", true},
    {"\xC2\x80\xC2\x85\xC2\xA0", false}, /* C1 controls, next line, no-break space */
    {"\xC2\xA1", true},                  /* the character behind it */
    {"\xC2\xAD", false},                 /* soft hyphen */
    {"\xE2\x80\xAE\xE2\x80\x8B", false}, /* U+202E, U+200B */
    {"\xE2\x80\x90", true},              /* U+2010, a hyphen */
    {"\xE2\x81\x9F\xE2\x81\xAF", false}, /* U+205F, U+206F */
    {"\xE2\x81\xB0", true},              /* U+2070 */
    {"\xE2\xA0\x80", false},             /* U+2800 */
    {"\xE2\xA0\x81", true},
    {"\xE3\x80\x80", false},                     /* ideographic space */
    {"\xEF\xBB\xBF", false},                     /* byte order mark */
    {"\xEF\xBF\xBD", true},                      /* replacement character */
    {"\xF3\xA0\x80\x81\xF3\xA0\xBF\xBF", false}, /* tags, U+E0001 and U+E0FFF */
    {"\xF3\xA1\x80\x80", true},                  /* U+E1000 */
    {"\xF0\x9F\x8D\xB5\xEF\xB8\x8F", true},
};
START_TEST(unicode_shows_something)
{
    ck_assert_msg(unicode_shows(slice_from_cstr(rows[_i].text)) == rows[_i].shows, "row %d", _i);
}
END_TEST

/* Looked through in order, so that must be one. */
START_TEST(unicode_ranges_ascend)
{
    for (size_t i = 0; i < unicode_unseen_count; i++) {
        ck_assert_uint_le(unicode_unseen[i].first, unicode_unseen[i].last);
        if (i > 0)
            ck_assert_uint_gt(unicode_unseen[i].first, unicode_unseen[i - 1].last);
    }
}
END_TEST

void base_unicode(struct suite *s)
{
    suite_rows(s, unicode_shows_something, COUNT(rows));
    suite_test(s, unicode_ranges_ascend);
}
