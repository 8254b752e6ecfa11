/* suites.h - every suite of unit tests, in the order they run: its name and the function that adds
 * its tests. A new file of tests is one line here. */
#ifndef TESTS_UNIT_SUITES_H
#define TESTS_UNIT_SUITES_H

#include "tests/unit/support/suite.h"

#define SUITES(X)                                                                                  \
    X("base/slice", base_slice)                                                                    \
    X("base/buf", base_buf)                                                                        \
    X("base/arena", base_arena)                                                                    \
    X("base/err", base_err)                                                                        \
    X("base/number", base_number)                                                                  \
    X("base/utf8", base_utf8)                                                                      \
    X("base/unicode", base_unicode)                                                                \
    X("base/hex", base_hex)                                                                        \
    X("base/base64url", base_base64url)                                                            \
    X("base/json_write", base_json_write)                                                          \
    X("run/conf", run_conf)                                                                        \
    X("run/log", run_log)                                                                          \
    X("run/trace", run_trace)                                                                      \
    X("run/world", run_world)                                                                      \
    X("web/request", web_request)                                                                  \
    X("web/reply", web_reply)                                                                      \
    X("web/media", web_media)                                                                      \
    X("web/route", web_route)                                                                      \
    X("web/view", web_view)                                                                        \
    X("web/fault", web_fault)                                                                      \
    X("web/problem", web_problem)                                                                  \
    X("web/query", web_query)                                                                      \
    X("web/json_check", web_json_check)                                                            \
    X("web/schema", web_schema)                                                                    \
    X("web/json_schema", web_json_schema)                                                          \
    X("auth/mac", auth_mac)                                                                        \
    X("auth/jwks", auth_jwks)                                                                      \
    X("auth/jwt", auth_jwt)                                                                        \
    X("aws/answer", aws_answer)                                                                    \
    X("aws/names", aws_names)                                                                      \
    X("aws/call", aws_call)                                                                        \
    X("aws/credentials", aws_credentials)                                                          \
    X("aws/s3", aws_s3)                                                                            \
    X("aws/sigv4", aws_sigv4)                                                                      \
    X("aws/secrets", aws_secrets)                                                                  \
    X("db/sql", db_sql)                                                                            \
    X("db/target", db_target)                                                                      \
    X("db/server_error", db_server_error)                                                          \
    X("db/mysql", db_mysql)                                                                        \
    X("db/db", db_db)                                                                              \
    X("db/migrate", db_migrate)                                                                    \
    X("db/serving_user", db_serving_user)                                                          \
    X("fcgi/settings", fcgi_settings)                                                              \
    X("api/caller", api_caller)                                                                    \
    X("api/cursor", api_cursor)                                                                    \
    X("api/product_input", api_product_input)                                                      \
    X("api/products_store", api_products_store)                                                    \
    X("api/products", api_products)                                                                \
    X("api/product_edit", api_product_edit)                                                        \
    X("api/product_history", api_product_history)                                                  \
    X("api/categories", api_categories)                                                            \
    X("api/service", api_service)                                                                  \
    X("api/contract", api_contract)                                                                \
    X("api/openapi", api_openapi)                                                                  \
    X("api/dispatch", api_dispatch)                                                                \
    X("cli/text_index", cli_text_index)                                                            \
    X("cli/progress", cli_progress)                                                                \
    X("cli/doctor", cli_doctor)                                                                    \
    X("cli/commands", cli_commands)                                                                \
    X("pool/pool", pool_pool)                                                                      \
    X("pool/scoreboard", pool_scoreboard)                                                          \
    X("pool/connections", pool_connections)                                                        \
    X("pool/memory", pool_memory)                                                                  \
    X("pool/queue", pool_queue)                                                                    \
    X("pool/vault", pool_vault)                                                                    \
    X("pool/custody", pool_custody)                                                                \
    X("pool/key_board", pool_key_board)                                                            \
    X("pool/key_keeper", pool_key_keeper)                                                          \
    X("pool/token_check", pool_token_check)                                                        \
    X("pool/listener", pool_listener)                                                              \
    X("pool/keeper", pool_keeper)                                                                  \
    X("pool/status", pool_status)                                                                  \
    X("pool/status_server", pool_status_server)                                                    \
    X("pool/fastcgi_answer", pool_fastcgi_answer)                                                  \
    X("pool/params", pool_params)                                                                  \
    X("pool/worker", pool_worker)

#define SUITE_DECLARE(name, add) void add(struct suite *s);
SUITES(SUITE_DECLARE)

#endif
