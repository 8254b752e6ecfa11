#include "fcgi/cli/progress.h"

#include "common/base/macros.h"
#include "common/base/slice.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/output.h"

#define BAR_50 "\r[####################                    ]  50 %  7 lines"

START_TEST(progress_is_silent_without_a_terminal)
{
    struct output output;
    char text[256];
    output_begin(&output); /* standard error is a file now */
    struct progress p = progress_start(100);
    progress_show(&p, 50, 7);
    progress_clear(&p);
    output_end(&output, text, sizeof text);
    ck_assert_str_eq(text, "");
}
END_TEST

/* Each row is one call after the ones before it. */
static const struct show_row {
    int64_t done, lines; /* done -1: cleared */
    const char *want;
} show_rows[] = {
    {50, 7, BAR_50},
    {50, 8, ""},
    {50, 1006, ""},
    {50, 1007, "\r[####################                    ]  50 %  1007 lines"},
    {51, 1008, "\r[####################                    ]  51 %  1008 lines"},
    {-1, 0, "\r\033[K"},
    {-1, 0, ""},
    {51, 1009, "\r[####################                    ]  51 %  1009 lines"},
    {100, 1010, "\r[########################################] 100 %  1010 lines"},
};
START_TEST(progress_draws_changes)
{
    struct progress p = {.shown = true, .total = 100, .percent = -1};
    for (size_t i = 0; i < COUNT(show_rows); i++) {
        const struct show_row *r = &show_rows[i];
        struct output output;
        char text[256];
        output_begin(&output);
        if (r->done < 0)
            progress_clear(&p);
        else
            progress_show(&p, r->done, r->lines);
        output_end(&output, text, sizeof text);
        ck_assert_msg(slice_equal(slice_from_cstr(text), slice_from_cstr(r->want)),
                      "row %zu: \"%s\"", i, text);
    }
}
END_TEST

START_TEST(progress_of_unknown_length)
{
    struct progress p = {.shown = true, .percent = -1};
    struct output output;
    char text[256];
    output_begin(&output);
    progress_show(&p, 50, 1);
    progress_show(&p, 60, 2);
    progress_show(&p, 70, 1001);
    progress_clear(&p);
    output_end(&output, text, sizeof text);
    ck_assert_str_eq(text, "\r1 lines\r1001 lines\r\033[K");
}
END_TEST

/* A file that grows while it is read must not draw beyond the bar's end. */
START_TEST(progress_beyond_the_end)
{
    struct progress p = {.shown = true, .total = 10, .percent = -1};
    struct output output;
    char text[256];
    output_begin(&output);
    progress_show(&p, 25, 1);
    output_end(&output, text, sizeof text);
    ck_assert_str_eq(text, "\r[########################################] 100 %  1 lines");
}
END_TEST

void cli_progress(struct suite *s)
{
    suite_test(s, progress_is_silent_without_a_terminal);
    suite_test(s, progress_draws_changes);
    suite_test(s, progress_of_unknown_length);
    suite_test(s, progress_beyond_the_end);
}
