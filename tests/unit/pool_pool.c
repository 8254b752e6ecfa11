#include "fcgi/pool/pool.h"

#include "common/base/number.h"
#include "tests/unit/suites.h"

#include <string.h>

#define STOP_TIMEOUT_MS 25000

/* A story is what happens to a pool and what it must answer, word by word, from 0 ms on:
 *   @1500              the clock says 1500 ms
 *   S0 E0 K0 F         pool_next() must say: start slot 0 (it is told that the fork worked), end
 * it, kill it, finished S0! S0?            as S0, but the fork fails, or the pool is not told yet
 *   .  .100  .-        pool_next() must say wait: with any time, with 100 ms, with none
 *   ready0 exit0 done0 the process is ready; it ended without, or with, an answer given
 *   worn0 stuck0       it has served enough; its request took too long
 *   answer             some worker has answered since the last exit
 *   reload up down stop
 *   crashes=1          a number of the pool must be 1
 *   all none           every process that is wanted runs, or not
 *   begin              all are started and ready
 * `k` is the slot of the keeper. */
struct play {
    const char *name;
    struct pool pool;
    int64_t now_ms;
    struct slice word;
};

#define CHECK_WORD(p, condition)                                                                   \
    ck_assert_msg((condition), "%s: at \"%.*s\", %lld ms", (p)->name, SLICE_ARG((p)->word),        \
                  (long long)(p)->now_ms)

static int64_t read_number(const struct play *p, struct slice digits)
{
    int64_t number = 0;
    CHECK_WORD(p, number_parse_i64(digits, 0, INT64_MAX, &number) == NUMBER_OK);
    return number;
}

static size_t read_slot(const struct play *p, struct slice text)
{
    return slice_equal(text, SLICE("k")) ? POOL_KEEPER : (size_t)read_number(p, text);
}

static void expect(struct play *p, enum pool_action_kind kind, size_t slot)
{
    struct pool_action action = pool_next(&p->pool, p->now_ms);
    ck_assert_msg(action.kind == kind && (kind == POOL_WAIT || action.slot == slot),
                  "%s: at \"%.*s\", %lld ms: action %d of slot %zu", p->name, SLICE_ARG(p->word),
                  (long long)p->now_ms, (int)action.kind, action.slot);
}

static void play_action(struct play *p)
{
    static const char letters[] = "SEK";
    static const enum pool_action_kind kinds[] = {POOL_START, POOL_END, POOL_KILL};
    struct slice rest = slice_after(p->word, 1);
    enum pool_action_kind kind = kinds[strchr(letters, p->word.ptr[0]) - letters];
    char mark = (char)(rest.len > 0 ? rest.ptr[rest.len - 1] : 0);
    if (mark == '!' || mark == '?')
        rest.len--;
    size_t slot = read_slot(p, rest);
    expect(p, kind, slot);
    if (kind == POOL_START && mark == '!')
        pool_on_start_failed(&p->pool, slot, p->now_ms);
    else if (kind == POOL_START && mark != '?')
        pool_on_started(&p->pool, slot, p->now_ms);
}

static void play_wait(struct play *p)
{
    struct slice rest = slice_after(p->word, 1);
    expect(p, POOL_WAIT, 0);
    if (slice_equal(rest, SLICE("-")))
        ck_assert_msg(pool_wait_ms(&p->pool, p->now_ms) == -1, "%s: waits", p->name);
    else if (rest.len > 0)
        ck_assert_msg(pool_wait_ms(&p->pool, p->now_ms) == read_number(p, rest),
                      "%s: at \"%.*s\", %lld ms: waits %lld ms", p->name, SLICE_ARG(p->word),
                      (long long)p->now_ms, (long long)pool_wait_ms(&p->pool, p->now_ms));
}

static void play_begin(struct play *p)
{
    for (size_t i = 0; i <= p->pool.target; i++) {
        size_t slot = i < p->pool.target ? i : POOL_KEEPER;
        expect(p, POOL_START, slot);
        pool_on_started(&p->pool, slot, p->now_ms);
        pool_on_ready(&p->pool, slot);
    }
    expect(p, POOL_WAIT, 0);
}

static void play_number(struct play *p, struct slice name, struct slice want)
{
    const struct pool_counts *counts = &p->pool.counts;
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {
        {"crashes", counts->crashes},
        {"quick", counts->quick_crashes},
        {"reloads", counts->reloads},
        {"kills", counts->kills},
        {"keeper", counts->keeper_crashes},
        {"target", (int64_t)p->pool.target},
        {"recycles", counts->recycles},
        {"timeouts", counts->timeouts},
        {"pending", (int64_t)pool_pending(&p->pool)},
        {"gave_up", p->pool.gave_up},
        {"stopping", p->pool.stopping},
    };
    size_t i = 0;
    while (i < COUNT(numbers) && !slice_equal(name, slice_from_cstr(numbers[i].name)))
        i++;
    CHECK_WORD(p, i < COUNT(numbers));
    ck_assert_msg(numbers[i].value == read_number(p, want), "%s: %s is %lld", p->name,
                  numbers[i].name, (long long)numbers[i].value);
}

static bool play_event(struct play *p)
{
    static const struct {
        struct slice name;
        int kind;
    } events[] = {{SLICE_INIT("ready"), 0},
                  {SLICE_INIT("exit"), 1},
                  {SLICE_INIT("done"), 2},
                  {SLICE_INIT("worn"), 3},
                  {SLICE_INIT("stuck"), 4}};
    for (size_t i = 0; i < COUNT(events); i++) {
        if (!slice_starts_with(p->word, events[i].name))
            continue;
        size_t slot = read_slot(p, slice_after(p->word, events[i].name.len));
        if (events[i].kind == 0)
            pool_on_ready(&p->pool, slot);
        else if (events[i].kind == 3)
            pool_on_worn(&p->pool, slot);
        else if (events[i].kind == 4)
            pool_on_stuck(&p->pool, slot);
        else
            pool_on_exit(&p->pool, slot, events[i].kind == 2, p->now_ms);
        return true;
    }
    return false;
}

static void play_order(struct play *p)
{
    if (slice_equal(p->word, SLICE("answer")))
        pool_on_answer(&p->pool);
    else if (slice_equal(p->word, SLICE("reload")))
        pool_on_reload(&p->pool);
    else if (slice_equal(p->word, SLICE("up")))
        pool_on_resize(&p->pool, (int64_t)p->pool.target + 1);
    else if (slice_equal(p->word, SLICE("down")))
        pool_on_resize(&p->pool, (int64_t)p->pool.target - 1);
    else if (slice_equal(p->word, SLICE("stop")))
        pool_on_stop(&p->pool, p->now_ms);
    else if (slice_equal(p->word, SLICE("all")))
        CHECK_WORD(p, pool_is_complete(&p->pool));
    else if (slice_equal(p->word, SLICE("none")))
        CHECK_WORD(p, !pool_is_complete(&p->pool));
    else if (slice_equal(p->word, SLICE("begin")))
        play_begin(p);
    else
        ck_abort_msg("%s: what is \"%.*s\"?", p->name, SLICE_ARG(p->word));
}

static void play_word(struct play *p)
{
    struct slice value = p->word, name = {0};
    slice_cut(&value, '=', &name);
    if (value.ptr)
        play_number(p, name, value);
    else if (p->word.ptr[0] == '@')
        p->now_ms = read_number(p, slice_after(p->word, 1));
    else if (p->word.ptr[0] == '.')
        play_wait(p);
    else if (slice_equal(p->word, SLICE("F")))
        expect(p, POOL_FINISHED, 0);
    else if (strchr("SEK", p->word.ptr[0]))
        play_action(p);
    else if (!play_event(p))
        play_order(p);
}

static const struct story_row {
    const char *name;
    size_t workers;
    const char *story;
} story_rows[] = {
    /* start */
    {"all start at once, the keeper last", 3,
     "none S0 S1 S2 Sk .20 ready0 ready1 .20 ready2 .20 "
     "none readyk .- all crashes=0"},
    {"a start is asked for until it is told", 1, "S0? S0? S0 Sk? Sk ."},
    {"readiness is looked for again and again", 1, "S0 Sk .20 @7 .20 @20 .20 ready0 readyk .-"},
    {"a fork that fails is tried again after the longest pause", 2,
     "S0! S1 Sk .20 ready1 readyk .5000 none @4999 .1 @5000 S0 ready0 all crashes=0 quick=0"},
    {"a fork that fails again waits again", 1, "S0! Sk readyk .5000 @5000 S0! .5000 @10000 S0"},
    {"a keeper that cannot be forked is tried again", 1, "S0 ready0 Sk! .5000 @5000 Sk"},

    /* wear */
    {"a worn worker is replaced", 2,
     "begin pending=0 worn1 pending=1 E1 . done1 S1 pending=1 ready1 .- pending=0 "
     "recycles=1 reloads=0 crashes=0"},
    {"never two at once", 3,
     "begin worn0 worn2 E0 . done0 S0 .20 ready0 E2 . done2 S2 ready2 .- recycles=2"},
    {"nor while a reload is under way", 2,
     "begin reload worn1 E0 . done0 S0 .20 ready0 E1 . done1 S1 .20 ready1 Ek exitk Sk readyk .- "
     "reloads=3 recycles=0"},
    {"nor while a crashed one is away", 2,
     "begin exit0 worn1 .100 @100 S0 .20 ready0 E1 recycles=1"},
    {"a worn one that is not needed any more ends", 2, "begin worn1 down E1 done1 .- recycles=0"},
    {"worn is forgotten by its successor", 1,
     "begin worn0 exit0 .100 @100 S0 ready0 .- recycles=0"},

    /* requests that take too long */
    {"a stuck worker is killed at once, and replaced at once", 2,
     "begin stuck1 K1 . exit1 S1 ready1 .- timeouts=1 crashes=0 quick=0 kills=0"},
    {"also one that was told to end", 2, "begin down E1 stuck1 K1 . exit1 .- timeouts=1"},
    {"also while the pool stops", 1, "begin stop . stuck0 K0 exit0 Ek exitk F timeouts=1"},
    {"also two of them", 2, "begin stuck0 stuck1 K0 K1 . exit0 S0 exit1 S1 timeouts=2"},
    {"a stuck one is killed once", 1, "begin stuck0 K0 . stuck0 . exit0 S0 timeouts=1"},

    /* crashes */
    {"a worker that had answered is replaced at once", 2,
     "begin done1 S1 ready1 crashes=1 quick=0"},
    {"one that had not waits", 2, "begin exit1 .100 none @99 .1 @100 S1 crashes=1 quick=1"},
    {"one that was not even ready waits too", 1, "S0 Sk readyk exit0 .100 @100 S0 quick=1"},
    {"the pause doubles", 1, "begin exit0 .100 @100 S0 exit0 .200 @300 S0 exit0 .400 @700 S0"},
    {"the row of quick crashes is the pool's", 2,
     "begin exit0 exit1 .100 @100 S0 .20 @120 .20 ready0 .80 @200 S1 exit0 .20 ready1 .400"},
    {"an answering worker that dies ends the row", 1,
     "begin exit0 @100 S0 exit0 .200 @300 S0 done0 S0 exit0 .100 quick=3 crashes=4"},
    {"so does an answer of any other", 2,
     "begin exit0 @100 S0 exit0 .200 @300 S0 answer exit0 .100 quick=3"},
    {"an answer shortens no pause that has begun", 2, "begin exit0 @100 S0 exit0 answer .200"},
    {"nine quick crashes are not enough", 1,
     "begin exit0 @9999 S0 exit0 @19999 S0 exit0 @29999 S0 exit0 @39999 S0 exit0 @49999 S0 exit0 "
     "@59999 S0 exit0 @69999 S0 exit0 @79999 S0 exit0 .5000 gave_up=0 done0 gave_up=0"},
    {"the tenth is: the pool gives up, and drains", 2,
     "begin exit0 @9999 S0 exit0 @19999 S0 exit0 @29999 S0 exit0 @39999 S0 exit0 @49999 S0 exit0 "
     "@59999 S0 exit0 @69999 S0 exit0 @79999 S0 exit0 @89999 S0 gave_up=0 exit0 gave_up=1 "
     "stopping=1 .25000 exit1 Ek exitk F quick=10 crashes=10"},
    {"a pool that gave up kills what does not drain", 2,
     "begin exit0 @9999 S0 exit0 @19999 S0 exit0 @29999 S0 exit0 @39999 S0 exit0 @49999 S0 exit0 "
     "@59999 S0 exit0 @69999 S0 exit0 @79999 S0 exit0 @89999 S0 exit0 . @114998 .1 @114999 K1 Kk . "
     "exit1 exitk F kills=1"},
    {"the keeper is replaced after a pause that doubles too", 1,
     "begin exitk .100 @100 Sk exitk .200 @300 Sk readyk .- keeper=2 quick=0 crashes=0"},
    {"up to the longest, for ever", 1,
     "begin exitk @100 Sk exitk @300 Sk exitk @700 Sk exitk @1500 Sk exitk @3100 Sk exitk @6300 Sk "
     "exitk .5000 @11300 Sk exitk .5000 @16300 Sk exitk .5000 @21300 Sk exitk .5000 @26300 Sk "
     "exitk "
     ".5000 gave_up=0 keeper=11"},
    {"a keeper that lived begins with the first pause", 1,
     "begin exitk @100 Sk readyk @10099 exitk .200 @10299 Sk readyk @20299 exitk .100"},
    {"its row is not the workers'", 1,
     "begin exitk @100 Sk readyk exit0 .100 @200 S0 ready0 answer exitk .200 quick=1"},

    /* a worker that hangs before it is ready */
    {"it is killed at the limit, as a quick crash", 2,
     "S0 S1 Sk readyk ready1 .20 @29990 .10 @30000 K0 .- none exit0 .100 @30100 S0 ready0 .- all "
     "kills=1 crashes=1 quick=1"},
    {"the limit is gone once it is ready", 1, "S0 Sk readyk @29999 ready0 @30000 .- @90000 .- all"},
    {"ready too late changes nothing", 1,
     "S0 Sk readyk @30000 K0 ready0 .- none exit0 .100 quick=1"},
    {"each start has its own limit", 1,
     "begin @5000 exit0 @5100 S0 @35099 .1 @35100 K0 exit0 .200 quick=2"},
    {"a reload goes on behind it", 2,
     "begin reload E0 exit0 @10 S0 .20 @30010 K0 . exit0 @30110 S0 ready0 E1 crashes=1"},
    {"told to end, it has the time of one that runs", 2,
     "begin up S2 @29000 down E2 @30000 .24000 @54000 K2 exit2 .- crashes=0 kills=1"},
    {"a stop gives it no more", 1, "S0 Sk readyk @20000 stop .20 @30000 K0 exit0 Ek exitk F"},
    {"nor may it outlive the stop", 1, "S0 Sk readyk stop @25000 K0 Kk exit0 exitk F crashes=0"},

    /* reload */
    {"reload goes one by one, the keeper last", 2,
     "begin reload E0 .25000 exit0 S0 .20 ready0 E1 . exit1 S1 . ready1 Ek . exitk Sk readyk .- "
     "all "
     "reloads=3 crashes=0"},
    {"reload of a single worker", 1,
     "begin reload E0 . done0 S0 . ready0 Ek exitk Sk readyk .- all"},
    {"a reloaded worker that had not answered is no crash", 1, "begin reload E0 exit0 S0 quick=0"},
    {"reload waits for a crashed worker", 2,
     "begin exit1 reload .100 @100 S1 .20 ready1 E0 exit0 S0 ready0 Ek reloads=2"},
    {"reload waits while the new worker fails", 2,
     "begin reload E0 exit0 S0 exit0 .100 @100 S0! .5000 @5100 S0 ready0 E1"},
    {"reload waits for a fork", 2, "S0! S1 Sk ready1 readyk reload .5000 @5000 S0 . ready0 E1"},
    {"reload waits for what is not ready yet", 2, "S0 S1 Sk reload . ready0 readyk . ready1 E0"},
    {"reload waits for the crashed keeper", 1, "begin reload exitk .100 @100 Sk . readyk E0"},
    {"a worker that dies before its turn is not replaced again", 2,
     "begin reload E0 done1 S1 ready1 . exit0 S0 ready0 Ek exitk Sk readyk .- reloads=2"},
    {"a second reload begins again, without the one that is fresh", 2,
     "begin reload E0 reload . exit0 S0 ready0 E1 exit1 reload S1 ready1 E0 exit0 S0 ready0 Ek "
     "exitk Sk readyk .- reloads=4"},
    {"a worker that does not end is killed at its limit", 2,
     "begin reload E0 .25000 @24999 .1 @25000 K0 .- exit0 S0 ready0 E1 kills=1 crashes=0"},
    {"a keeper soon, and it counts as nothing", 1,
     "begin reload E0 exit0 S0 ready0 Ek .1000 @999 .1 @1000 Kk .- exitk Sk kills=0 keeper=0"},

    /* resize */
    {"one worker more", 2, "begin up S2 none ready2 all .- target=3"},
    {"one worker fewer", 2, "begin down E1 none .25000 exit1 .- all target=1 crashes=0 reloads=0"},
    {"several fewer end at the same time", 4, "begin down down E2 E3 . exit3 exit2 .- target=2"},
    {"never below one", 2, "begin down down down E1 exit1 .- target=1"},
    {"never above the greatest number", WORKERS_MAX, "begin up up .- all target=64"},
    {"taken back before it has ended", 2, "begin down E1 up . exit1 S1 ready1 .- crashes=0"},
    {"taken back before it was asked", 2, "begin down up .- all"},
    {"a worker in its pause is given up", 2, "begin exit1 .100 down .- @100 .- all"},
    {"a worker that is on its way up ends too", 1, "begin up S1 down E1 exit1 .- all"},
    {"one that does not end is killed", 2, "begin down E1 @25000 K1 exit1 .- kills=1"},
    {"fewer during a reload", 3, "begin reload E0 down E2 exit0 S0 ready0 E1 exit1 S1 ready1 Ek"},
    {"more during a reload", 1, "begin reload E0 up S1 ready1 . exit0 S0 ready0 Ek"},

    /* stop */
    {"workers end by themselves, the keeper last", 2,
     "begin stop .25000 exit1 . done0 Ek . exitk F crashes=0 keeper=0 gave_up=0"},
    {"what lives at the limit is killed", 2,
     "begin stop exit0 @24999 .1 @25000 K1 Kk .- exit1 . exitk F kills=1 crashes=0"},
    {"a keeper that is at a look is not waited for", 1,
     "begin stop exit0 Ek .1000 @1000 Kk . exitk F kills=0 keeper=0"},
    {"nor beyond the limit", 1, "begin stop @24500 exit0 Ek .500 @25000 Kk . exitk F"},
    {"nor one that a reload has asked", 1,
     "begin reload E0 exit0 S0 ready0 Ek @10 stop .990 @1000 Kk . exitk . exit0 F"},
    {"nothing starts any more", 2, "S0 stop .20 ready0 .25000 @1 . exit0 F"},
    {"before anything has started", 2, "stop F"},
    {"a crashed worker is not replaced", 2, "begin exit0 stop @100 . exit1 Ek exitk F"},
    {"nor a keeper that dies", 1, "begin stop exitk . exit0 F keeper=0"},
    {"the limit counts from the first signal", 1, "begin stop @1000 stop .24000 @25000 K0"},
    {"a stop ends a reload", 2,
     "begin reload E0 @10 stop .25000 exit0 . exit1 Ek exitk F reloads=1"},
    {"a stop gives a reloaded worker its own time", 1,
     "begin reload E0 @20000 stop .25000 @25000 .20000 @45000 K0"},
    {"what was killed is not killed again", 1,
     "begin reload E0 @25000 K0 stop .25000 @50000 Kk . exitk . exit0 F kills=1"},
    {"reload and resize change nothing", 2, "begin stop reload up .25000 exit0 exit1 Ek exitk F"},
};

START_TEST(pool_stories)
{
    const struct story_row *r = &story_rows[_i];
    struct play p = {.name = r->name};
    struct slice rest = slice_from_cstr(r->story);
    pool_init(&p.pool, r->workers, STOP_TIMEOUT_MS);
    while (slice_cut(&rest, ' ', &p.word))
        play_word(&p);
}
END_TEST

/* The pause after the n-th quick crash in a row. */
static const int64_t pauses_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};

START_TEST(pool_pauses)
{
    struct pool pool;
    int64_t now_ms = 0;
    ck_assert_uint_eq(COUNT(pauses_ms) + 1, POOL_QUICK_CRASHES_MAX);
    pool_init(&pool, 1, STOP_TIMEOUT_MS);
    for (size_t i = 0; i < COUNT(pauses_ms); i++) {
        ck_assert_int_eq(pool_next(&pool, now_ms).kind, POOL_START);
        pool_on_started(&pool, 0, now_ms);
        if (i == 0) {
            pool_on_started(&pool, POOL_KEEPER, now_ms);
            pool_on_ready(&pool, POOL_KEEPER);
        }
        pool_on_exit(&pool, 0, false, now_ms);
        ck_assert_int_eq(pool_next(&pool, now_ms).kind, POOL_WAIT);
        ck_assert_int_eq(pool_wait_ms(&pool, now_ms), pauses_ms[i]);
        now_ms += pauses_ms[i];
    }
}
END_TEST

/* A walk: events come in any order a real system could bring them, and what must always hold is
 * checked against a model that knows nothing but which processes live. */
enum life { DEAD, COMING, LIVING };
struct walk {
    struct pool pool;
    int64_t now_ms;
    uint64_t random;
    enum life life[POOL_SLOTS];
    bool asked[POOL_SLOTS], killed[POOL_SLOTS];
    int64_t started_at_ms[POOL_SLOTS], asked_at_ms[POOL_SLOTS], stop_at_ms;
    bool stopped, finished;
};

static uint64_t any_below(struct walk *w, uint64_t bound)
{
    w->random ^= w->random << 13; /* xorshift64, Marsaglia 2003 */
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % bound;
}

static bool is_wanted(const struct walk *w, size_t slot)
{
    return !w->pool.stopping && (slot < w->pool.target || slot == POOL_KEEPER);
}

static size_t count_living(const struct walk *w)
{
    size_t count = 0;
    for (size_t i = 0; i < POOL_SLOTS; i++)
        count += w->life[i] != DEAD;
    return count;
}

static void walk_start(struct walk *w, size_t slot)
{
    ck_assert(is_wanted(w, slot));
    ck_assert_int_eq(w->life[slot], DEAD);
    if (any_below(w, 20) == 0) {
        pool_on_start_failed(&w->pool, slot, w->now_ms);
        return;
    }
    pool_on_started(&w->pool, slot, w->now_ms);
    w->life[slot] = COMING;
    w->started_at_ms[slot] = w->now_ms;
    w->asked[slot] = w->killed[slot] = false;
}

/* A wanted process is only ever asked to end for a reload, and then no other may be away. */
static void walk_end(struct walk *w, size_t slot)
{
    ck_assert_int_ne(w->life[slot], DEAD);
    ck_assert(!w->asked[slot]);
    for (size_t i = 0; is_wanted(w, slot) && i < POOL_SLOTS; i++)
        ck_assert_msg(!is_wanted(w, i) || (w->life[i] == LIVING && !w->asked[i]),
                      "slots %zu and %zu at the same time", slot, i);
    ck_assert(!w->pool.stopping || (slot == POOL_KEEPER && count_living(w) == 1));
    w->asked[slot] = true;
    w->asked_at_ms[slot] = w->now_ms;
}

static bool had_its_time(const struct walk *w, size_t slot)
{
    int64_t grace_ms = slot == POOL_KEEPER ? POOL_KEEPER_GRACE_MS : STOP_TIMEOUT_MS;
    if (w->pool.stopping && w->now_ms >= w->stop_at_ms)
        return true;
    if (w->asked[slot])
        return (!w->pool.stopping || slot == POOL_KEEPER) &&
               w->now_ms >= w->asked_at_ms[slot] + grace_ms;
    return w->life[slot] == COMING && w->now_ms >= w->started_at_ms[slot] + POOL_START_LIMIT_MS;
}

static void walk_kill(struct walk *w, size_t slot)
{
    ck_assert_int_ne(w->life[slot], DEAD);
    ck_assert(!w->killed[slot]);
    ck_assert(had_its_time(w, slot));
    w->killed[slot] = true;
}

/* What must hold when the pool waits. */
static void walk_check(struct walk *w)
{
    bool complete = true;
    for (size_t i = 0; i < POOL_SLOTS; i++) {
        if (w->life[i] != DEAD && !w->asked[i] && !w->killed[i] && !w->pool.stopping)
            ck_assert_msg(is_wanted(w, i), "slot %zu is one too many", i);
        complete = complete &&
                   (is_wanted(w, i) ? w->life[i] == LIVING && !w->asked[i] : w->life[i] == DEAD);
    }
    ck_assert_int_eq(pool_is_complete(&w->pool), complete);
    /* It never sleeps past its next action. */
    int64_t wait_ms = pool_wait_ms(&w->pool, w->now_ms);
    ck_assert_int_ne(wait_ms, 0);
    struct pool later = w->pool;
    int64_t within = wait_ms < 0 ? INT32_MAX : wait_ms;
    ck_assert_int_eq(pool_next(&later, w->now_ms + (int64_t)any_below(w, (uint64_t)within)).kind,
                     POOL_WAIT);
}

static void walk_act(struct walk *w)
{
    for (size_t i = 0; i < (size_t)4 * POOL_SLOTS; i++) {
        struct pool_action action = pool_next(&w->pool, w->now_ms);
        switch (action.kind) {
        case POOL_START:
            walk_start(w, action.slot);
            break;
        case POOL_END:
            walk_end(w, action.slot);
            break;
        case POOL_KILL:
            walk_kill(w, action.slot);
            break;
        case POOL_WAIT:
            walk_check(w);
            return;
        case POOL_FINISHED:
            ck_assert(w->pool.stopping);
            ck_assert_uint_eq(count_living(w), 0);
            w->finished = true;
            return;
        }
    }
    ck_abort_msg("the pool never waits");
}

static void walk_exit(struct walk *w, size_t slot, bool answered)
{
    w->life[slot] = DEAD;
    pool_on_exit(&w->pool, slot, answered, w->now_ms);
    if (w->pool.stopping && !w->stopped) { /* it gave up */
        ck_assert(w->pool.gave_up);
        w->stopped = true;
        w->stop_at_ms = w->now_ms + STOP_TIMEOUT_MS;
    }
}

static void walk_event(struct walk *w)
{
    size_t slot = any_below(w, 8) == 0 ? POOL_KEEPER : any_below(w, w->pool.target + 2);
    if (slot >= WORKERS_MAX)
        slot = POOL_KEEPER;
    uint64_t what = any_below(w, 100);
    if (what < 40) {
        w->now_ms += (int64_t)any_below(w, what < 5 ? 30000 : 300);
    } else if (what < 70) {
        if (w->life[slot] == COMING && !w->killed[slot]) {
            w->life[slot] = LIVING;
            pool_on_ready(&w->pool, slot);
        }
    } else if (what < 92) {
        if (w->life[slot] != DEAD && (what < 85 || w->asked[slot]))
            walk_exit(w, slot, w->life[slot] == LIVING && any_below(w, 3) > 0);
    } else if (what < 96) {
        pool_on_reload(&w->pool);
    } else {
        pool_on_resize(&w->pool, what % 2 == 0 ? 1 : -1);
        ck_assert(w->pool.target >= 1 && w->pool.target <= WORKERS_MAX);
    }
}

/* From here on nothing ends but what is killed or asked: it must still come to an end. */
static void walk_stop(struct walk *w)
{
    pool_on_stop(&w->pool, w->now_ms);
    if (!w->stopped)
        w->stop_at_ms = w->now_ms + STOP_TIMEOUT_MS;
    w->stopped = true;
    for (size_t i = 0; !w->finished && i < STOP_TIMEOUT_MS / POOL_STARTING_TICK_MS + 3; i++) {
        walk_act(w);
        int64_t wait_ms = w->finished ? -1 : pool_wait_ms(&w->pool, w->now_ms);
        if (wait_ms > 0)
            w->now_ms += wait_ms;
        for (size_t k = 0; k < POOL_SLOTS; k++)
            if (w->life[k] != DEAD && w->killed[k])
                walk_exit(w, k, false);
    }
    ck_assert(w->finished);
}

#define WALKS 40
#define STEPS 3000
START_TEST(pool_walks)
{
    struct walk w = {.random = UINT64_C(0x9E3779B97F4A7C15) * ((uint64_t)_i + 1)};
    pool_init(&w.pool, 1 + any_below(&w, _i % 10 == 0 ? WORKERS_MAX : 6), STOP_TIMEOUT_MS);
    walk_act(&w);
    for (int i = 0; i < STEPS && !w.finished; i++) {
        walk_event(&w);
        walk_act(&w);
    }
    if (!w.finished)
        walk_stop(&w);
}
END_TEST

void pool_pool(struct suite *s)
{
    suite_rows(s, pool_stories, COUNT(story_rows));
    suite_test(s, pool_pauses);
    suite_rows(s, pool_walks, WALKS);
}
