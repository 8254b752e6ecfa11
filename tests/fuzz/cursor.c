/* cursor.c - fuzz target: a cursor as a client sends it back, and, since no mutation survives its
 * signature, the same bytes once more as the key of a cursor that we sign. */
#include "fcgi/api/cursor.h"
#include "common/base/base64url.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const struct mac_ring *ring(void)
{
    static struct mac_ring made;
    static const struct slice secrets[] = {SLICE_INIT("0123456789abcdef0123456789abcdef"),
                                           SLICE_INIT("fedcba9876543210fedcba9876543210")};
    struct err err = {0};
    if (made.count == 0 && !mac_ring_derive(ARRAY(secrets), "cbu cursor 1", &made, &err))
        abort();
    return &made;
}

/* Nobody but us makes cursors: whatever is read must be what we would write. */
static void read_foreign(struct slice text)
{
    struct arena *arena = fuzz_arena();
    struct cursor got = {0};
    struct err err = {0};
    if (cursor_read(ring(), SLICE("b"), text, arena, &got, &err)) {
        struct slice again = cursor_write(ring(), SLICE("b"), &got, arena);
        FUZZ_ASSERT(slice_equal(again, text));
    } else {
        FUZZ_ASSERT(err.kind == &ERR_CURSOR_INVALID);
    }
}

static void read_own(struct slice text)
{
    struct arena *arena = fuzz_arena();
    struct cursor own = {.id = (int64_t)text.len, .number = -1, .text = text}, got = {0};
    struct err err = {0}, other_err = {0};
    struct slice written = cursor_write(ring(), SLICE("b"), &own, arena);
    FUZZ_ASSERT(written.ptr && cursor_read(ring(), SLICE("b"), written, arena, &got, &err));
    FUZZ_ASSERT(got.id == own.id && got.number == own.number && slice_equal(got.text, own.text));
    FUZZ_ASSERT(!cursor_read(ring(), SLICE("c"), written, arena, &got, &other_err));
    /* One bit of it changed. */
    char *bytes = memcpy(arena_alloc(arena, written.len, 1), written.ptr, written.len);
    bytes[text.len % written.len] ^= 1;
    read_foreign((struct slice){bytes, written.len});
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const struct slice text = {(const char *)bytes, size};
    read_foreign(text);
    if (size <= 4096)
        read_own(text);
    return 0;
}
