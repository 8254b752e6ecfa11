#include "common/auth/jwt.h"

#include "common/auth/errors.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/assert.h"
#include "tests/unit/support/fake_issuer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW    1700000000
#define ISSUER "https://cognito-idp.us-east-2.amazonaws.com/us-east-2_AbCdEfGhI"
#define CLIENT "1234567890abcdefghijklmnop"
#define HEADER "{\"kid\":\"a\",\"alg\":\"RS256\"}"

#define U32                                                                                        \
    "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"   \
    "\u00e4"                                                                                       \
    "\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4"   \
    "\u00e4"

/* What Cognito puts into an access token; a row replaces one claim by others. */
static const struct claim {
    const char *name, *text;
} usual[] = {
    {"sub", "\"sub\":\"11111111-2222-3333-4444-555555555555\""},
    {"cognito:groups", "\"cognito:groups\":[\"editors\",\"staff\"]"},
    {"iss", "\"iss\":\"" ISSUER "\""},
    {"client_id", "\"client_id\":\"" CLIENT "\""},
    {"origin_jti", "\"origin_jti\":\"origin\""},
    {"event_id", "\"event_id\":\"event\""},
    {"token_use", "\"token_use\":\"access\""},
    {"scope", "\"scope\":\"aws.cognito.signin.user.admin\""},
    {"auth_time", "\"auth_time\":1699999000"},
    {"exp", "\"exp\":1700003600"},
    {"iat", "\"iat\":1700000000"},
    {"jti", "\"jti\":\"token\""},
    {"username", "\"username\":\"ada\""},
};

/* The usual payload, with the claim `name` replaced by `text` (nothing: left out). A name that is
 * none of them adds the text. */
static const char *payload(const char *name, const char *text)
{
    static char storage[KIB(48)];
    struct buf out = BUF(storage);
    bool found = name == NULL;
    buf_add_char(&out, '{');
    for (size_t i = 0; i < COUNT(usual); i++) {
        bool replaced = name && strcmp(usual[i].name, name) == 0;
        const char *each = replaced ? text : usual[i].text;
        found = found || replaced;
        buf_add_cstr(&out, *each && out.len > 1 ? "," : "");
        buf_add_cstr(&out, each);
    }
    if (!found)
        buf_add_format(&out, ",%s", text);
    buf_add_char(&out, '}');
    const char *made = buf_cstr(&out);
    ck_assert_ptr_nonnull(made);
    return made;
}

struct fixture {
    struct arena arena;
    struct jws_keys *keys;
    struct jwt_claims claims;
    struct err err;
};

static void set_up(struct fixture *f)
{
    const struct jwks set = fake_issuer_keys(2);
    *f = (struct fixture){.arena = test_arena(KIB(256))};
    f->keys = jws_keys_open(&set, &f->err);
    ck_assert_msg(f->keys != NULL, "%s", f->err.cause);
}

static void tear_down(struct fixture *f)
{
    jws_keys_close(f->keys);
    arena_done(&f->arena);
}

static bool verify(struct fixture *f, const char *token, int64_t now_s, int64_t leeway_s)
{
    const struct jwt_rules rules = {SLICE(ISSUER), SLICE(CLIENT), leeway_s};
    return jwt_verify(f->keys, &rules, now_s, slice_from_cstr(token), &f->arena, &f->claims,
                      &f->err);
}

/* ---- claims ---- */

static const struct claim_row {
    const char *what, *name, *text;
    const struct err_kind *want;
} claim_rows[] = {
    {"as Cognito makes them", NULL, NULL, NULL},
    {"sub is missing", "sub", "", &ERR_TOKEN_CLAIMS},
    {"sub is empty", "sub", "\"sub\":\"\"", &ERR_TOKEN_CLAIMS},
    {"sub is a number", "sub", "\"sub\":1", &ERR_TOKEN_CLAIMS},
    {"sub is null", "sub", "\"sub\":null", &ERR_TOKEN_CLAIMS},
    {"sub is a list", "sub", "\"sub\":[\"x\"]", &ERR_TOKEN_CLAIMS},
    {"sub of 128 bytes", "sub",
     "\"sub\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"",
     NULL},
    {"sub of 129 bytes", "sub",
     "\"sub\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefX\"",
     &ERR_TOKEN_CLAIMS},
    {"sub twice", "sub", "\"sub\":\"a\",\"sub\":\"b\"", &ERR_TOKEN_MALFORMED},
    {"sub twice, once escaped", "sub", "\"sub\":\"a\",\"s\\u0075b\":\"b\"", &ERR_TOKEN_MALFORMED},
    {"another case of sub", "sub", "\"Sub\":\"a\"", &ERR_TOKEN_CLAIMS},
    {"iss is missing", "iss", "", &ERR_TOKEN_CLAIMS},
    {"iss is a number", "iss", "\"iss\":7", &ERR_TOKEN_CLAIMS},
    {"another pool", "iss",
     "\"iss\":\"https://cognito-idp.us-east-2.amazonaws.com/us-east-2_AbCdEfGhJ\"",
     &ERR_TOKEN_WRONG_ISSUER},
    {"another region", "iss",
     "\"iss\":\"https://cognito-idp.us-east-1.amazonaws.com/us-east-2_AbCdEfGhI\"",
     &ERR_TOKEN_WRONG_ISSUER},
    {"iss with a slash behind", "iss", "\"iss\":\"" ISSUER "/\"", &ERR_TOKEN_WRONG_ISSUER},
    {"iss in another case", "iss",
     "\"iss\":\"https://cognito-idp.us-east-2.amazonaws.com/us-east-2_abcdefghi\"",
     &ERR_TOKEN_WRONG_ISSUER},
    {"iss over http", "iss",
     "\"iss\":\"http://cognito-idp.us-east-2.amazonaws.com/us-east-2_AbCdEfGhI\"",
     &ERR_TOKEN_WRONG_ISSUER},
    {"a part of iss", "iss", "\"iss\":\"https://cognito-idp.us-east-2.amazonaws.com\"",
     &ERR_TOKEN_WRONG_ISSUER},
    {"iss is empty", "iss", "\"iss\":\"\"", &ERR_TOKEN_CLAIMS},
    {"iss with a NUL behind", "iss", "\"iss\":\"" ISSUER "\\u0000\"", &ERR_TOKEN_MALFORMED},
    {"iss with its slashes escaped", "iss",
     "\"iss\":\"https:\\/\\/cognito-idp.us-east-2.amazonaws.com\\/us-east-2_AbCdEfGhI\"", NULL},
    {"an ID token", "token_use", "\"token_use\":\"id\"", &ERR_TOKEN_WRONG_USE},
    {"token_use is missing", "token_use", "", &ERR_TOKEN_CLAIMS},
    {"token_use in another case", "token_use", "\"token_use\":\"Access\"", &ERR_TOKEN_WRONG_USE},
    {"token_use is a list", "token_use", "\"token_use\":[\"access\"]", &ERR_TOKEN_CLAIMS},
    {"another client", "client_id", "\"client_id\":\"zzz\"", &ERR_TOKEN_WRONG_CLIENT},
    {"client_id is missing", "client_id", "", &ERR_TOKEN_CLAIMS},
    {"aud in its place", "client_id", "\"aud\":\"" CLIENT "\"", &ERR_TOKEN_CLAIMS},
    {"aud is not looked at", "aud", "\"aud\":\"another\"", NULL},
    {"client_id is a list", "client_id", "\"client_id\":[\"" CLIENT "\"]", &ERR_TOKEN_CLAIMS},
    {"exp is missing", "exp", "", &ERR_TOKEN_CLAIMS},
    {"exp is a text", "exp", "\"exp\":\"1700003600\"", &ERR_TOKEN_CLAIMS},
    {"exp is null", "exp", "\"exp\":null", &ERR_TOKEN_CLAIMS},
    {"exp is true", "exp", "\"exp\":true", &ERR_TOKEN_CLAIMS},
    {"exp is a list", "exp", "\"exp\":[1700003600]", &ERR_TOKEN_CLAIMS},
    {"exp is negative", "exp", "\"exp\":-1", &ERR_TOKEN_CLAIMS},
    {"exp is infinite", "exp", "\"exp\":1e999", &ERR_TOKEN_CLAIMS},
    {"exp has more digits than a double", "exp", "\"exp\":9007199254740993", &ERR_TOKEN_CLAIMS},
    {"exp is far away", "exp", "\"exp\":9007199254740991", NULL},
    {"exp twice", "exp", "\"exp\":1,\"exp\":1700003600", &ERR_TOKEN_MALFORMED},
    {"exp is zero", "exp", "\"exp\":0", &ERR_TOKEN_EXPIRED},
    {"expired a second ago", "exp", "\"exp\":1699999999", &ERR_TOKEN_EXPIRED},
    {"expires this second", "exp", "\"exp\":1700000000", &ERR_TOKEN_EXPIRED},
    {"its last second", "exp", "\"exp\":1700000001", NULL},
    {"a fraction is left", "exp", "\"exp\":1700000000.5", NULL},
    {"exp with an exponent", "exp", "\"exp\":17000036e2", NULL},
    {"nbf has come", "nbf", "\"nbf\":1700000000", NULL},
    {"nbf is a second away", "nbf", "\"nbf\":1700000001", &ERR_TOKEN_NOT_YET_VALID},
    {"nbf is a fraction away", "nbf", "\"nbf\":1700000000.1", &ERR_TOKEN_NOT_YET_VALID},
    {"nbf is a text", "nbf", "\"nbf\":\"1700000000\"", &ERR_TOKEN_CLAIMS},
    {"nbf is null", "nbf", "\"nbf\":null", &ERR_TOKEN_CLAIMS},
    {"iat is missing", "iat", "", NULL},
    {"iat is a minute ahead", "iat", "\"iat\":1700000060", NULL},
    {"iat is more than a minute ahead", "iat", "\"iat\":1700000061", &ERR_TOKEN_NOT_YET_VALID},
    {"iat is a text", "iat", "\"iat\":\"now\"", &ERR_TOKEN_CLAIMS},
    {"auth_time is a text", "auth_time", "\"auth_time\":\"1\"", &ERR_TOKEN_CLAIMS},
    {"auth_time is missing", "auth_time", "", NULL},
    {"no groups", "cognito:groups", "", NULL},
    {"an empty list of groups", "cognito:groups", "\"cognito:groups\":[]", NULL},
    {"one group as a text", "cognito:groups", "\"cognito:groups\":\"admins\"", &ERR_TOKEN_CLAIMS},
    {"groups as an object", "cognito:groups", "\"cognito:groups\":{\"admins\":1}",
     &ERR_TOKEN_CLAIMS},
    {"a group that is a number", "cognito:groups", "\"cognito:groups\":[\"a\",1]",
     &ERR_TOKEN_CLAIMS},
    {"groups are null", "cognito:groups", "\"cognito:groups\":null", &ERR_TOKEN_CLAIMS},
    {"username is missing", "username", "", NULL},
    {"username of 128 characters", "username", "\"username\":\"" U32 U32 U32 U32 "\"", NULL},
    {"username of 129 characters", "username", "\"username\":\"" U32 U32 U32 U32 "x\"",
     &ERR_TOKEN_CLAIMS},
    {"username is a number", "username", "\"username\":1", &ERR_TOKEN_CLAIMS},
    {"jti is a number", "jti", "\"jti\":1", &ERR_TOKEN_CLAIMS},
    {"origin_jti is a number", "origin_jti", "\"origin_jti\":1", &ERR_TOKEN_CLAIMS},
    {"a claim of another kind", "custom", "\"custom\":{\"a\":[1,{\"b\":null}]}", NULL},
    {"a member twice in it", "custom", "\"custom\":[{\"a\":1,\"a\":2}]", &ERR_TOKEN_MALFORMED},
    {"a number no JSON has", "custom", "\"custom\":01", &ERR_TOKEN_MALFORMED},
    {"a comma too many", "custom", "\"custom\":1,", &ERR_TOKEN_MALFORMED},
};
START_TEST(jwt_claims_are_judged)
{
    const struct claim_row *r = &claim_rows[_i];
    struct fixture f;
    set_up(&f);
    const char *token = fake_issuer_mint(HEADER, payload(r->name, r->text), FAKE_KEY_A, FAKE_RS256);
    ck_assert_msg(verify(&f, token, NOW, 0) == (r->want == NULL), "%s: %s", r->what, f.err.cause);
    ck_assert_msg(f.err.kind == r->want, "%s: %s", r->what, f.err.cause);
    ck_assert_msg((f.claims.subject.len > 0) == (r->want == NULL), "%s", r->what);
    tear_down(&f);
}
END_TEST

static const struct payload_row {
    const char *payload;
} payload_rows[] = {{""},      {"null"},           {"[]"}, {"\"sub\""},         {"{"}, {"{}}"},
                    {"{} {}"}, {"\xEF\xBB\xBF{}"}, {"1"},  {"{\"a\":\"\xFF\"}"}};
START_TEST(jwt_payload_is_an_object)
{
    struct fixture f;
    set_up(&f);
    const char *token = fake_issuer_mint(HEADER, payload_rows[_i].payload, FAKE_KEY_A, FAKE_RS256);
    ck_assert(!verify(&f, token, NOW, 0));
    ck_assert_ptr_eq(f.err.kind, &ERR_TOKEN_MALFORMED);
    tear_down(&f);
}
END_TEST

START_TEST(jwt_says_what_the_token_says)
{
    struct fixture f;
    set_up(&f);
    ck_assert(
        verify(&f, fake_issuer_mint(HEADER, payload(NULL, NULL), FAKE_KEY_A, FAKE_RS256), NOW, 0));
    ck_assert_text_eq(f.claims.subject, "11111111-2222-3333-4444-555555555555");
    ck_assert_text_eq(f.claims.username, "ada");
    ck_assert_text_eq(f.claims.token_id, "token");
    ck_assert_text_eq(f.claims.sign_in_id, "origin");
    ck_assert_int_eq(f.claims.expires_s, 1700003600);
    ck_assert_int_eq(f.claims.issued_s, 1700000000);
    ck_assert_int_eq(f.claims.signed_in_s, 1699999000);
    ck_assert_uint_eq(f.claims.group_count, 2);
    ck_assert(jwt_in_group(&f.claims, SLICE("editors")));
    ck_assert(jwt_in_group(&f.claims, SLICE("staff")));
    ck_assert(!jwt_in_group(&f.claims, SLICE("admins")));
    ck_assert(!jwt_in_group(&f.claims, SLICE("Editors")));
    ck_assert(!jwt_in_group(&f.claims, SLICE("edit")));
    tear_down(&f);
}
END_TEST

START_TEST(jwt_groups_have_a_limit)
{
    struct fixture f;
    for (int count = JWT_GROUPS_MAX; count <= JWT_GROUPS_MAX + 1; count++) {
        char storage[KIB(4)];
        struct buf list = BUF(storage);
        set_up(&f);
        buf_add_cstr(&list, "\"cognito:groups\":[");
        for (int i = 0; i < count; i++)
            buf_add_format(&list, "%s\"g%d\"", i > 0 ? "," : "", i);
        buf_add_char(&list, ']');
        const char *token = fake_issuer_mint(HEADER, payload("cognito:groups", buf_cstr(&list)),
                                             FAKE_KEY_A, FAKE_RS256);
        ck_assert_int_eq(verify(&f, token, NOW, 0), count == JWT_GROUPS_MAX);
        ck_assert_ptr_eq(f.err.kind, count == JWT_GROUPS_MAX ? NULL : &ERR_TOKEN_CLAIMS);
        tear_down(&f);
    }
}
END_TEST

/* exp 1700003600, nbf 1700000000 */
static const struct time_row {
    int64_t now_s, leeway_s;
    const struct err_kind *want;
} time_rows[] = {
    {1700000000, 0, NULL},
    {1699999999, 0, &ERR_TOKEN_NOT_YET_VALID},
    {1699999995, 5, NULL},
    {1699999994, 5, &ERR_TOKEN_NOT_YET_VALID},
    {1700003599, 0, NULL},
    {1700003600, 0, &ERR_TOKEN_EXPIRED},
    {1700003604, 5, NULL},
    {1700003605, 5, &ERR_TOKEN_EXPIRED},
    {0, 0, &ERR_TOKEN_NOT_YET_VALID},
    {INT64_MAX, 300, &ERR_TOKEN_EXPIRED},
};
START_TEST(jwt_leeway)
{
    const struct time_row *r = &time_rows[_i];
    struct fixture f;
    set_up(&f);
    const char *token =
        fake_issuer_mint(HEADER, payload("nbf", "\"nbf\":1700000000"), FAKE_KEY_A, FAKE_RS256);
    ck_assert_int_eq(verify(&f, token, r->now_s, r->leeway_s), r->want == NULL);
    ck_assert_msg(f.err.kind == r->want, "%s", f.err.cause);
    tear_down(&f);
}
END_TEST

/* ---- header and signature ---- */

static const struct header_row {
    const char *what, *header;
    enum fake_key key;
    enum fake_signature signature;
    const struct err_kind *want;
} header_rows[] = {
    {"the other key", "{\"kid\":\"b\",\"alg\":\"RS256\"}", FAKE_KEY_B, FAKE_RS256, NULL},
    {"with typ", "{\"typ\":\"JWT\",\"kid\":\"a\",\"alg\":\"RS256\"}", FAKE_KEY_A, FAKE_RS256, NULL},
    {"alg none, no signature", "{\"kid\":\"a\",\"alg\":\"none\"}", FAKE_KEY_A, FAKE_NONE,
     &ERR_TOKEN_ALGORITHM},
    {"alg None, no signature", "{\"kid\":\"a\",\"alg\":\"None\"}", FAKE_KEY_A, FAKE_NONE,
     &ERR_TOKEN_ALGORITHM},
    {"alg none, well signed", "{\"kid\":\"a\",\"alg\":\"none\"}", FAKE_KEY_A, FAKE_RS256,
     &ERR_TOKEN_ALGORITHM},
    {"no signature", HEADER, FAKE_KEY_A, FAKE_NONE, &ERR_TOKEN_SIGNATURE},
    {"HS256 keyed by our public key", "{\"kid\":\"a\",\"alg\":\"HS256\"}", FAKE_KEY_A, FAKE_HS256,
     &ERR_TOKEN_ALGORITHM},
    {"the same, called RS256", HEADER, FAKE_KEY_A, FAKE_HS256, &ERR_TOKEN_SIGNATURE},
    {"ES256", "{\"kid\":\"ec\",\"alg\":\"ES256\"}", FAKE_KEY_EC, FAKE_ES256, &ERR_TOKEN_ALGORITHM},
    {"ES256 under the kid of ours", "{\"kid\":\"a\",\"alg\":\"ES256\"}", FAKE_KEY_EC, FAKE_ES256,
     &ERR_TOKEN_ALGORITHM},
    {"the same, called RS256", HEADER, FAKE_KEY_EC, FAKE_ES256, &ERR_TOKEN_SIGNATURE},
    {"RS512", "{\"kid\":\"a\",\"alg\":\"RS512\"}", FAKE_KEY_A, FAKE_RS512, &ERR_TOKEN_ALGORITHM},
    {"the same, called RS256", HEADER, FAKE_KEY_A, FAKE_RS512, &ERR_TOKEN_SIGNATURE},
    {"PS256", "{\"kid\":\"a\",\"alg\":\"PS256\"}", FAKE_KEY_A, FAKE_PS256, &ERR_TOKEN_ALGORITHM},
    {"the same, called RS256", HEADER, FAKE_KEY_A, FAKE_PS256, &ERR_TOKEN_SIGNATURE},
    {"alg in small letters", "{\"kid\":\"a\",\"alg\":\"rs256\"}", FAKE_KEY_A, FAKE_RS256,
     &ERR_TOKEN_ALGORITHM},
    {"alg is missing", "{\"kid\":\"a\"}", FAKE_KEY_A, FAKE_RS256, &ERR_TOKEN_ALGORITHM},
    {"alg is a list", "{\"kid\":\"a\",\"alg\":[\"RS256\"]}", FAKE_KEY_A, FAKE_RS256,
     &ERR_TOKEN_ALGORITHM},
    {"alg twice", "{\"kid\":\"a\",\"alg\":\"none\",\"alg\":\"RS256\"}", FAKE_KEY_A, FAKE_RS256,
     &ERR_TOKEN_MALFORMED},
    {"kid twice", "{\"kid\":\"a\",\"kid\":\"b\",\"alg\":\"RS256\"}", FAKE_KEY_A, FAKE_RS256,
     &ERR_TOKEN_MALFORMED},
    {"an unknown kid", "{\"kid\":\"c\",\"alg\":\"RS256\"}", FAKE_KEY_A, FAKE_RS256,
     &ERR_TOKEN_UNKNOWN_KEY},
    {"a kid in another case", "{\"kid\":\"A\",\"alg\":\"RS256\"}", FAKE_KEY_A, FAKE_RS256,
     &ERR_TOKEN_UNKNOWN_KEY},
    {"the kid of another key", "{\"kid\":\"b\",\"alg\":\"RS256\"}", FAKE_KEY_A, FAKE_RS256,
     &ERR_TOKEN_SIGNATURE},
    {"kid is missing", "{\"alg\":\"RS256\"}", FAKE_KEY_A, FAKE_RS256, &ERR_TOKEN_MALFORMED},
    {"kid is empty", "{\"kid\":\"\",\"alg\":\"RS256\"}", FAKE_KEY_A, FAKE_RS256,
     &ERR_TOKEN_MALFORMED},
    {"kid is a number", "{\"kid\":1,\"alg\":\"RS256\"}", FAKE_KEY_A, FAKE_RS256,
     &ERR_TOKEN_MALFORMED},
    {"kid is a path", "{\"kid\":\"../../dev/null\",\"alg\":\"RS256\"}", FAKE_KEY_A, FAKE_RS256,
     &ERR_TOKEN_UNKNOWN_KEY},
    {"kid of 128 bytes",
     "{\"kid\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"alg\":\"RS256\"}",
     FAKE_KEY_A, FAKE_RS256, &ERR_TOKEN_MALFORMED},
    {"crit", "{\"kid\":\"a\",\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":1}", FAKE_KEY_A,
     FAKE_RS256, &ERR_TOKEN_MALFORMED},
    {"unencoded payload", "{\"kid\":\"a\",\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}",
     FAKE_KEY_A, FAKE_RS256, &ERR_TOKEN_MALFORMED},
    {"its own address of keys",
     "{\"kid\":\"c\",\"alg\":\"RS256\",\"jku\":\"http://127.0.0.1/jwks.json\"}", FAKE_KEY_A,
     FAKE_RS256, &ERR_TOKEN_UNKNOWN_KEY},
    {"a list", "[\"RS256\"]", FAKE_KEY_A, FAKE_RS256, &ERR_TOKEN_MALFORMED},
    {"nothing", "", FAKE_KEY_A, FAKE_RS256, &ERR_TOKEN_MALFORMED},
    {"null", "null", FAKE_KEY_A, FAKE_RS256, &ERR_TOKEN_MALFORMED},
    {"something behind it", HEADER "x", FAKE_KEY_A, FAKE_RS256, &ERR_TOKEN_MALFORMED},
};
START_TEST(jwt_headers_are_judged)
{
    const struct header_row *r = &header_rows[_i];
    struct fixture f;
    set_up(&f);
    const char *token = fake_issuer_mint(r->header, payload(NULL, NULL), r->key, r->signature);
    ck_assert_msg(verify(&f, token, NOW, 0) == (r->want == NULL), "%s: %s", r->what, f.err.cause);
    ck_assert_msg(f.err.kind == r->want, "%s: %s", r->what, f.err.cause);
    tear_down(&f);
}
END_TEST

/* The key that a token brings with it is nobody's. */
START_TEST(jwt_key_in_the_token)
{
    struct fixture f;
    char header[KIB(2)];
    set_up(&f);
    snprintf(header, sizeof header,
             "{\"kid\":\"a\",\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"kid\":\"a\",%s}}",
             fake_issuer_numbers(FAKE_KEY_B));
    ck_assert(
        !verify(&f, fake_issuer_mint(header, payload(NULL, NULL), FAKE_KEY_B, FAKE_RS256), NOW, 0));
    ck_assert_ptr_eq(f.err.kind, &ERR_TOKEN_SIGNATURE);
    tear_down(&f);
}
END_TEST

/* ---- the text itself ---- */

/* `edit` changes a good token: '%' stands for it whole, 'H', 'P', 'S' for its parts. */
static const struct text_row {
    const char *what, *edit;
    const struct err_kind *want;
} text_rows[] = {
    {"as it is", "%", NULL},
    {"put together again", "H.P.S", NULL},
    {"nothing", "", &ERR_TOKEN_MALFORMED},
    {"a dot", ".", &ERR_TOKEN_MALFORMED},
    {"two dots", "..", &ERR_TOKEN_MALFORMED},
    {"one part", "H", &ERR_TOKEN_MALFORMED},
    {"two parts", "H.P", &ERR_TOKEN_MALFORMED},
    {"four parts", "H.P.S.S", &ERR_TOKEN_MALFORMED},
    {"five parts, as JWE has", "H.P.S.P.S", &ERR_TOKEN_MALFORMED},
    {"a dot behind", "%.", &ERR_TOKEN_MALFORMED},
    {"a dot before", ".%", &ERR_TOKEN_MALFORMED},
    {"no signature", "H.P.", &ERR_TOKEN_SIGNATURE},
    {"no payload", "H..S", &ERR_TOKEN_SIGNATURE},
    {"no header", ".P.S", &ERR_TOKEN_MALFORMED},
    {"parts in another order", "P.H.S", &ERR_TOKEN_ALGORITHM},
    {"padding behind the header", "H=.P.S", &ERR_TOKEN_MALFORMED},
    {"padding behind the payload", "H.P=.S", &ERR_TOKEN_MALFORMED},
    {"padding behind the signature", "H.P.S==", &ERR_TOKEN_MALFORMED},
    {"a blank before", " %", &ERR_TOKEN_MALFORMED},
    {"a blank behind", "% ", &ERR_TOKEN_MALFORMED},
    {"a line break behind", "%\n", &ERR_TOKEN_MALFORMED},
    {"more bytes of signature", "H.P.SAAAA", &ERR_TOKEN_SIGNATURE},
    {"zeros before the signature", "H.P.AAAAS", &ERR_TOKEN_SIGNATURE},
    {"a character of standard base64", "H.P.+S", &ERR_TOKEN_MALFORMED},
    {"something before the payload", "H.AAAAP.S", &ERR_TOKEN_SIGNATURE},
    {"something behind the payload", "H.PAAAA.S", &ERR_TOKEN_SIGNATURE},
    {"the header twice", "HH.P.S", &ERR_TOKEN_MALFORMED},
    {"JSON serialization", "{\"payload\":\"P\",\"protected\":\"H\",\"signature\":\"S\"}",
     &ERR_TOKEN_MALFORMED},
};
static const char *edit(const char *pattern, const char *token)
{
    static char storage[KIB(16)];
    struct buf out = BUF(storage);
    struct slice rest = slice_from_cstr(token), parts[3];
    for (size_t i = 0; i < COUNT(parts); i++)
        ck_assert(slice_cut(&rest, '.', &parts[i]));
    for (const char *p = pattern; *p; p++) {
        /* Within words of the pattern these letters are nothing special. */
        bool alone = p == pattern || strchr(".\"A+HPS", p[-1]);
        const char *found = alone ? strchr("HPS", *p) : NULL;
        if (*p == '%')
            buf_add_cstr(&out, token);
        else if (found)
            buf_add(&out, parts[found - strchr("HPS", 'H')]);
        else
            buf_add_char(&out, *p);
    }
    const char *made = buf_cstr(&out);
    ck_assert_ptr_nonnull(made);
    return made;
}
START_TEST(jwt_texts_are_judged)
{
    const struct text_row *r = &text_rows[_i];
    struct fixture f;
    set_up(&f);
    const char *token = fake_issuer_mint(HEADER, payload(NULL, NULL), FAKE_KEY_A, FAKE_RS256);
    ck_assert_msg(verify(&f, edit(r->edit, token), NOW, 0) == (r->want == NULL), "%s: %s", r->what,
                  f.err.cause);
    ck_assert_msg(f.err.kind == r->want, "%s: %s", r->what, f.err.cause);
    tear_down(&f);
}
END_TEST

/* No character of a token may be another: each one is flipped in turn. */
START_TEST(jwt_has_one_spelling)
{
    struct fixture f;
    char token[KIB(4)];
    set_up(&f);
    snprintf(token, sizeof token, "%s",
             fake_issuer_mint(HEADER, payload(NULL, NULL), FAKE_KEY_A, FAKE_RS256));
    for (size_t i = 0; token[i]; i++) {
        char before = token[i];
        token[i] = before == 'A' ? 'B' : 'A';
        f.err = (struct err){0};
        ck_assert_msg(!verify(&f, token, NOW, 0), "byte %zu", i);
        ck_assert_int_eq(f.err.kind->status, 401);
        token[i] = before;
        arena_reset(&f.arena);
    }
    ck_assert(verify(&f, token, NOW, 0));
    tear_down(&f);
}
END_TEST

/* Cut off anywhere, it is refused, and nothing is read behind its end. */
START_TEST(jwt_is_cut_off)
{
    struct fixture f;
    const struct jwt_rules rules = {SLICE(ISSUER), SLICE(CLIENT), 0};
    set_up(&f);
    const char *token = fake_issuer_mint(HEADER, payload(NULL, NULL), FAKE_KEY_A, FAKE_RS256);
    for (size_t len = 0; len < strlen(token); len++) {
        char *exact = malloc(len + 1);
        ck_assert_ptr_nonnull(exact);
        memcpy(exact, token, len);
        f.err = (struct err){0};
        ck_assert(!jwt_verify(f.keys, &rules, NOW, (struct slice){exact, len}, &f.arena, &f.claims,
                              &f.err));
        ck_assert_int_eq(f.err.kind->status, 401);
        free(exact);
        arena_reset(&f.arena);
    }
    tear_down(&f);
}
END_TEST

/* `fill` bytes of a claim make a token just within, or beyond, the limit. */
START_TEST(jwt_size_has_a_limit)
{
    struct fixture f;
    static char claim[KIB(8)];
    size_t fits = 0, refused = 0;
    set_up(&f);
    for (size_t fill = 5000; fill < 6200; fill += 25) {
        snprintf(claim, sizeof claim, "\"fill\":\"%0*d\"", (int)fill, 0);
        const char *token =
            fake_issuer_mint(HEADER, payload("fill", claim), FAKE_KEY_A, FAKE_RS256);
        bool small = strlen(token) <= JWS_TOKEN_MAX;
        f.err = (struct err){0};
        ck_assert_msg(verify(&f, token, NOW, 0) == small, "%zu: %s", strlen(token), f.err.cause);
        ck_assert_ptr_eq(f.err.kind, small ? NULL : &ERR_TOKEN_MALFORMED);
        fits += small;
        refused += !small;
        arena_reset(&f.arena);
    }
    ck_assert_uint_gt(fits, 0);
    ck_assert_uint_gt(refused, 0);
    tear_down(&f);
}
END_TEST

START_TEST(jwt_header_has_a_limit)
{
    struct fixture f;
    static char header[KIB(2)];
    set_up(&f);
    snprintf(header, sizeof header, "{\"kid\":\"a\",\"alg\":\"RS256\",\"x\":\"%01000d\"}", 0);
    ck_assert(
        !verify(&f, fake_issuer_mint(header, payload(NULL, NULL), FAKE_KEY_A, FAKE_RS256), NOW, 0));
    ck_assert_ptr_eq(f.err.kind, &ERR_TOKEN_MALFORMED);
    tear_down(&f);
}
END_TEST

START_TEST(jwt_in_a_full_arena)
{
    struct fixture f;
    set_up(&f);
    arena_done(&f.arena);
    f.arena = test_arena(256);
    ck_assert(
        !verify(&f, fake_issuer_mint(HEADER, payload(NULL, NULL), FAKE_KEY_A, FAKE_RS256), NOW, 0));
    ck_assert_ptr_eq(f.err.kind, &ERR_INTERNAL);
    tear_down(&f);
}
END_TEST

START_TEST(jwt_names_its_kid)
{
    struct arena arena = test_arena(KIB(64));
    struct err err = {0};
    struct slice kid = {0};
    const char *token =
        fake_issuer_mint("{\"kid\":\"x\\/y\",\"alg\":\"RS256\"}", "{}", FAKE_KEY_A, FAKE_RS256);
    ck_assert(jws_read_kid(slice_from_cstr(token), &arena, &kid, &err));
    ck_assert_text_eq(kid, "x/y");
    ck_assert(!jws_read_kid(SLICE("a.b"), &arena, &kid, &err));
    ck_assert_ptr_eq(err.kind, &ERR_TOKEN_MALFORMED);
    arena_done(&arena);
}
END_TEST

void auth_jwt(struct suite *s)
{
    suite_rows(s, jwt_claims_are_judged, COUNT(claim_rows));
    suite_rows(s, jwt_payload_is_an_object, COUNT(payload_rows));
    suite_test(s, jwt_says_what_the_token_says);
    suite_test(s, jwt_groups_have_a_limit);
    suite_rows(s, jwt_leeway, COUNT(time_rows));
    suite_rows(s, jwt_headers_are_judged, COUNT(header_rows));
    suite_test(s, jwt_key_in_the_token);
    suite_rows(s, jwt_texts_are_judged, COUNT(text_rows));
    suite_test(s, jwt_has_one_spelling);
    suite_test(s, jwt_is_cut_off);
    suite_test(s, jwt_size_has_a_limit);
    suite_test(s, jwt_header_has_a_limit);
    suite_test(s, jwt_in_a_full_arena);
    suite_test(s, jwt_names_its_kid);
    fake_issuer_prepare(s);
}
