#include "fcgi/api/cursor.h"

#include "common/base/base64url.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"

#include <string.h>

#define SECRET "0123456789abcdef0123456789abcdef"

static struct mac_ring make_key(const char *secret, const char *label)
{
    const struct slice secret_text = slice_from_cstr(secret);
    struct mac_ring key;
    struct err err = {0};
    ck_assert_msg(mac_ring_derive(&secret_text, 1, label, &key, &err), "%s", err.cause);
    return key;
}

static struct mac_ring our_key(void)
{
    return make_key(SECRET, "cbu cursor 1");
}

static void check_refused(const struct mac_ring *key, struct slice binding, struct slice text,
                          struct arena *arena)
{
    struct cursor got = {.id = -7};
    struct err err = {0};
    ck_assert_msg(!cursor_read(key, binding, text, arena, &got, &err), "accepted: \"%.*s\"",
                  SLICE_ARG(text));
    ck_assert_ptr_eq(err.kind, &ERR_CURSOR_INVALID);
    ck_assert_int_eq(got.id, -7);
}

static const struct cursor trip_rows[] = {
    {.id = 1},
    {.id = INT64_MAX, .number = INT64_MAX},
    {.id = INT64_MIN, .number = INT64_MIN},
    {.id = 0, .number = -1},
    {.id = 256, .number = 0x0102030405060708},
    {.id = 5, .text = SLICE_INIT("a")},
    {.id = 5, .text = SLICE_INIT("it's \"quoted\" \\ \xF0\x9F\x9A\xB2 and \0 goes on")},
};
START_TEST(cursor_round_trip)
{
    const struct cursor *c = &trip_rows[_i];
    struct arena arena = test_arena(KIB(64));
    struct mac_ring key = our_key();
    struct cursor got = {0};
    struct err err = {0};
    struct slice text = cursor_write(&key, SLICE("newest"), c, &arena);
    ck_assert_ptr_nonnull(text.ptr);
    for (size_t i = 0; i < text.len; i++) /* needs no escape in an address */
        ck_assert(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                         text.ptr[i]));
    ck_assert(cursor_read(&key, SLICE("newest"), text, &arena, &got, &err));
    ck_assert_int_eq(got.id, c->id);
    ck_assert_int_eq(got.number, c->number);
    ck_assert_slice_eq(got.text, c->text);
    arena_done(&arena);
}
END_TEST

/* Every bit counts, those of the last character that carry nothing included. */
START_TEST(cursor_every_flipped_bit)
{
    const struct cursor cursor = {.id = 4711, .number = 1999, .text = SLICE("Kettle")};
    struct arena arena = test_arena(MIB(4));
    struct mac_ring key = our_key();
    struct slice text = cursor_write(&key, SLICE("price"), &cursor, &arena);
    char changed[128];
    ck_assert_uint_lt(text.len, sizeof changed);
    for (size_t bit = 0; bit < text.len * 8; bit++) {
        memcpy(changed, text.ptr, text.len);
        changed[bit / 8] = (char)(changed[bit / 8] ^ 1 << bit % 8);
        check_refused(&key, SLICE("price"), (struct slice){changed, text.len}, &arena);
    }
    arena_done(&arena);
}
END_TEST

START_TEST(cursor_every_other_character)
{
    const struct cursor cursor = {.id = 4711};
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct arena arena = test_arena(MIB(4));
    struct mac_ring key = our_key();
    struct slice text = cursor_write(&key, SLICE(""), &cursor, &arena);
    char changed[128];
    for (size_t at = 0; at < text.len; at++) {
        memcpy(changed, text.ptr, text.len);
        for (size_t i = 0; alphabet[i]; i++) {
            changed[at] = alphabet[i];
            if (alphabet[i] != text.ptr[at])
                check_refused(&key, SLICE(""), (struct slice){changed, text.len}, &arena);
        }
    }
    arena_done(&arena);
}
END_TEST

START_TEST(cursor_cut_or_longer)
{
    const struct cursor cursor = {.id = 4711, .text = SLICE("Kettle")};
    struct arena arena = test_arena(MIB(1));
    struct mac_ring key = our_key();
    struct slice text = cursor_write(&key, SLICE("name"), &cursor, &arena);
    char longer[128];
    for (size_t len = 0; len < text.len; len++)
        check_refused(&key, SLICE("name"), (struct slice){text.ptr, len}, &arena);
    for (size_t len = 1; len < text.len; len++)
        check_refused(&key, SLICE("name"), slice_after(text, len), &arena);
    memcpy(longer, text.ptr, text.len);
    for (size_t more = 1; more <= 8; more++) {
        memset(longer + text.len, 'A', more);
        check_refused(&key, SLICE("name"), (struct slice){longer, text.len + more}, &arena);
        memset(longer + text.len, '=', more);
        check_refused(&key, SLICE("name"), (struct slice){longer, text.len + more}, &arena);
    }
    arena_done(&arena);
}
END_TEST

static const struct other_row {
    const char *secret, *label;
    struct slice binding;
} other_rows[] = {
    {SECRET, "cbu cursor 1", SLICE_INIT("price")},
    {SECRET, "cbu cursor 1", SLICE_INIT("newes")},
    {SECRET, "cbu cursor 1", SLICE_INIT("newest ")},
    {SECRET, "cbu cursor 1", SLICE_INIT("")},
    {SECRET, "cbu cursor 2", SLICE_INIT("newest")},
    {SECRET, "", SLICE_INIT("newest")},
    {"0123456789abcdef0123456789abcdeF", "cbu cursor 1", SLICE_INIT("newest")},
};
START_TEST(cursor_of_another_query_or_key)
{
    const struct other_row *r = &other_rows[_i];
    const struct cursor cursor = {.id = 1};
    struct arena arena = test_arena(KIB(64));
    struct mac_ring key = our_key(), other = make_key(r->secret, r->label);
    struct slice text = cursor_write(&key, SLICE("newest"), &cursor, &arena);
    check_refused(&other, r->binding, text, &arena);
    arena_done(&arena);
}
END_TEST

/* The end of the key text and the beginning of the binding must not change places. */
START_TEST(cursor_binding_borrows_nothing)
{
    struct arena arena = test_arena(KIB(64));
    struct mac_ring key = our_key();
    const struct cursor one = {.id = 1, .text = SLICE("ab")}, two = {.id = 1, .text = SLICE("a")};
    struct slice first = cursor_write(&key, SLICE("c"), &one, &arena);
    struct slice second = cursor_write(&key, SLICE("bc"), &two, &arena);
    ck_assert_ptr_nonnull(first.ptr);
    /* the same bytes would have been signed: then one MAC would fit both */
    ck_assert(memcmp(first.ptr, second.ptr, 21) != 0);
    arena_done(&arena);
}
END_TEST

/* A payload signed with our key: what an older or newer program may have made. */
static struct slice sign(const struct mac_ring *key, struct slice payload, struct slice binding,
                         struct arena *arena)
{
    unsigned char mac[MAC_BYTES];
    struct buf message = arena_buf(arena, 256), raw = arena_buf(arena, 256);
    struct buf text = arena_buf(arena, 512);
    for (int shift = 56; shift >= 0; shift -= 8)
        buf_add_char(&message, (char)((uint64_t)payload.len >> shift & 0xFF));
    buf_add(&message, payload);
    buf_add(&message, binding);
    ck_assert(mac_ring_sign(key, buf_slice(&message), mac));
    buf_add(&raw, (struct slice){(const char *)mac, 16});
    buf_add(&raw, payload);
    base64url_add(&text, buf_slice(&raw));
    return buf_slice(&text);
}

#define NUMBERS "\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\6"

START_TEST(cursor_of_another_version)
{
    struct arena arena = test_arena(KIB(64));
    struct mac_ring key = our_key();
    struct cursor got = {0};
    struct err err = {0};
    struct slice good = sign(&key, SLICE("\1" NUMBERS "x"), SLICE("q"), &arena);
    ck_assert(cursor_read(&key, SLICE("q"), good, &arena, &got, &err));
    ck_assert_int_eq(got.id, 5);
    ck_assert_int_eq(got.number, 6);
    ck_assert_slice_eq(got.text, SLICE("x"));
    check_refused(&key, SLICE("q"), sign(&key, SLICE("\2" NUMBERS "x"), SLICE("q"), &arena),
                  &arena);
    check_refused(&key, SLICE("q"), sign(&key, SLICE("\0" NUMBERS "x"), SLICE("q"), &arena),
                  &arena);
    /* signed, yet too short for what is read from it */
    check_refused(&key, SLICE("q"), sign(&key, SLICE("\1\0\0\0"), SLICE("q"), &arena), &arena);
    check_refused(&key, SLICE("q"), sign(&key, SLICE(""), SLICE("q"), &arena), &arena);
    arena_done(&arena);
}
END_TEST

static const struct foreign_row {
    struct slice text;
} foreign_rows[] = {
    {{0}},
    {SLICE_INIT("")},
    {SLICE_INIT("A")},
    {SLICE_INIT("bmV4dA==")},
    {SLICE_INIT("' OR 1=1 --")},
    {SLICE_INIT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")},
    {SLICE_INIT("AAAAAAAA AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")},
    {SLICE_INIT("\xF0\x9F\x9A\xB2")},
    {SLICE_INIT("\0\0\0\0")},
};
START_TEST(cursor_not_ours)
{
    struct arena arena = test_arena(KIB(64));
    struct mac_ring key = our_key();
    check_refused(&key, SLICE("newest"), foreign_rows[_i].text, &arena);
    arena_done(&arena);
}
END_TEST

START_TEST(cursor_full_arena)
{
    const struct cursor cursor = {.id = 1, .text = SLICE("Kettle")};
    struct mac_ring key = our_key();
    struct arena roomy = test_arena(KIB(64));
    struct slice text = cursor_write(&key, SLICE("q"), &cursor, &roomy);
    for (size_t limit = 1; limit < 400; limit += 7) {
        struct arena arena = test_arena(limit);
        struct cursor got = {0};
        struct err err = {0};
        struct slice made = cursor_write(&key, SLICE("q"), &cursor, &arena);
        ck_assert(!made.ptr || slice_equal(made, text)); /* all or nothing */
        arena.used = 0;
        bool read = cursor_read(&key, SLICE("q"), text, &arena, &got, &err);
        ck_assert(read ? got.id == 1 : err.kind == &ERR_CURSOR_INVALID);
        arena_done(&arena);
    }
    arena_done(&roomy);
}
END_TEST

void api_cursor(struct suite *s)
{
    suite_rows(s, cursor_round_trip, COUNT(trip_rows));
    suite_test(s, cursor_every_flipped_bit);
    suite_test(s, cursor_every_other_character);
    suite_test(s, cursor_cut_or_longer);
    suite_rows(s, cursor_of_another_query_or_key, COUNT(other_rows));
    suite_test(s, cursor_binding_borrows_nothing);
    suite_test(s, cursor_of_another_version);
    suite_rows(s, cursor_not_ours, COUNT(foreign_rows));
    suite_test(s, cursor_full_arena);
}
