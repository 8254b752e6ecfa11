/* number.h - decimal text to integers, with no locale, no leading sign games and no overflow. Pure.
 */
#ifndef COMMON_BASE_NUMBER_H
#define COMMON_BASE_NUMBER_H

#include "common/base/macros.h"
#include "common/base/slice.h"

#include <stdint.h>

enum number_result { NUMBER_OK, NUMBER_MALFORMED, NUMBER_OUT_OF_RANGE };

/* Reads `-?(0|[1-9][0-9]*)`, nothing before or behind; "-0" is malformed. `*ret` is written only on
 * NUMBER_OK. A number with more digits than 64 bits hold is out of range, not malformed. */
enum number_result number_parse_i64(struct slice text, int64_t min, int64_t max,
                                    int64_t *ret) MUST_USE;

/* Reads a JSON number (RFC 8259 section 6; anything else is malformed) whose value is whole,
 * however it is spelled: "100", "1e2", "10000e-2" and "100.0" are one value. No double takes part,
 * so every digit counts. NUMBER_MALFORMED: it is not whole; NUMBER_OUT_OF_RANGE: 64 bits do not
 * hold it. */
enum number_result number_parse_json_i64(struct slice text, int64_t *ret) MUST_USE;

#endif
