/* keeper.h - the one process that looks after what all workers need but none should wait for.
 * The state of the database goes into the scoreboard (scoreboard.h), AWS credentials and secrets
 * into the vault (vault.h), the keys of tokens onto the board in it (key_board.h). */
#ifndef FCGI_POOL_KEEPER_H
#define FCGI_POOL_KEEPER_H

#include "common/run/world.h"
#include "fcgi/pool/scoreboard.h"
#include "fcgi/pool/vault.h"

/* The newest file in migrations/ that this build relies on. */
#define SCHEMA_VERSION_NEEDED 2

/* Looks at the database once and says what it found; never fails. */
struct snapshot keeper_look(struct db *db, const struct world *world, struct arena *arena);

/* Runs in the child after fork(); ends by SIGTERM, after the look it is at;
 * to cut that off is safe, it holds nothing. Returns the exit status. */
int keeper_run(const struct conf *conf, const struct world *world, struct scoreboard *board,
               struct vault *vault);

#endif
