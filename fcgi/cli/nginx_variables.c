#include "fcgi/cli/nginx_variables.h"

/* The assembler looks where the compiler does: at the root of the repository. */
__asm__(".section .rodata\n"
        "nginx_variables_file:\n"
        ".incbin \"nginx/variables\"\n"
        ".byte 0\n"
        ".text\n");
extern const char nginx_variables_file[]; /* NUL-terminated by the .byte */

struct slice nginx_variables_text(void)
{
    return slice_from_cstr(nginx_variables_file);
}

/* The next word of a line; empty at its end. */
static struct slice next_word(struct slice *line)
{
    struct slice word = {0};
    while (word.len == 0 && slice_cut(line, ' ', &word)) {
    }
    return word;
}

bool nginx_variables_next(struct slice *rest, struct nginx_variable *ret)
{
    struct slice line;
    while (slice_cut(rest, '\n', &line)) {
        struct slice name = next_word(&line);
        if (name.len == 0 || name.ptr[0] == '#' || slice_equal(name, SLICE("kind")))
            continue;
        ret->name = name;
        ret->fallback = next_word(&line);
        ret->allowed = next_word(&line);
        return true;
    }
    return false;
}
