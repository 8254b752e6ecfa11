"""What h2load, strace and the kernel say is read right, or refused."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from benchlib import load, proc, syscalls

H2LOAD = """\
starting benchmark...
spawning thread #0: 8 total client(s). 400 total requests
Application protocol: http/1.1
progress: 100% done

finished in {finished}, 4745.19 req/s, 1.98MB/s
requests: 400 total, 400 started, 400 done, {succeeded} succeeded, {failed} failed, 0 errored, \
0 timeout
status codes: {succeeded} 2xx, 0 3xx, 1 4xx, {failed} 5xx
traffic: 171.09KB (175200) total, 138.28KB (141600) headers, 24.61KB (25200) data
"""


@pytest.mark.parametrize(
    ("finished", "seconds"),
    [("843us", 843e-6), ("84.30ms", 0.0843), ("4.98s", 4.98), ("2.5m", 150)],
)
def test_summary_of_h2load(finished: str, seconds: float) -> None:
    text = H2LOAD.format(finished=finished, succeeded=397, failed=2)
    asked, succeeded, codes, took = load.parse_summary(text)
    assert (asked, succeeded) == (400, 397)
    assert codes == {"2xx": 397, "3xx": 0, "4xx": 1, "5xx": 2}
    assert took == pytest.approx(seconds)


def test_unknown_words_of_h2load_are_an_error() -> None:
    with pytest.raises(load.LoadError, match="something unknown"):
        load.parse_summary("h2load 9: all is well\n")


def test_requests_without_answer_have_no_duration() -> None:
    assert load.parse_log("1764\t200\t310\n1765\t-1\t99999\n1766\t503\t42\n") == [310, 42]


STRACE = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 61.20    0.012345          15       800       400 accept4
 20.10    0.004000          10       400           read
 10.00    0.002000           5       400           sendmsg
  5.00    0.001000           2       400           rt_sigpending
------ ----------- ----------- --------- --------- ----------------
100.00    0.019345           9      2000       400 total
"""


def test_table_of_strace() -> None:
    calls = syscalls.parse_summary(STRACE)
    assert calls == {"accept4": 800, "read": 400, "sendmsg": 400, "rt_sigpending": 400}
    groups = syscalls.grouped({name: count / 400 for name, count in calls.items()})
    assert groups == {
        **dict.fromkeys(syscalls.GROUPS, 0),
        "connect": 2,
        "read": 1,
        "write": 1,
        "other": 1,
    }


def test_groups_share_no_call() -> None:
    names = [name for group in syscalls.GROUPS.values() for name in group]
    assert len(names) == len(set(names))


# ---- /proc ----
def test_stat_of_a_name_with_blanks_and_parentheses() -> None:
    fields = "S 41 42 42 0 -1 4194560 1 2 3 4 100 200 7 8 20 0 5 0 999"
    assert proc.parse_stat(f"42 (a b) (c) {fields}") == proc.Stat(42, 41, 15, 5)


def test_proportional_memory() -> None:
    text = "55d0-7ffd ---p 0 00:00 0  [rollup]\nRss:   9000 kB\nPss:   1234 kB\nPss_Anon: 1 kB\n"
    assert proc.parse_rollup(text) == 1234 * 1024
    with pytest.raises(ValueError, match="no Pss"):
        proc.parse_rollup("Rss: 9000 kB\n")


def test_busy_time_of_the_machine() -> None:
    text = "cpu  100 20 30 99999 8888 4 5 6 70 8\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    assert proc.parse_machine(text) == 100 + 20 + 30 + 4 + 5 + 6
    assert proc.machine_ns() > 0


def test_descendants_at_any_depth_and_nobody_else() -> None:
    parents = {10: 1, 11: 10, 12: 11, 20: 1, 21: 20}
    assert proc.descendants(parents, [10]) == {10, 11, 12}
    assert proc.descendants(parents, [11, 20]) == {11, 12, 20, 21}


# Uses CPU time in a child that ends and is waited for, then tells how much, and stays.
PARENT = """
import os, resource, sys
child = os.fork()
if child == 0:
    while resource.getrusage(resource.RUSAGE_SELF).ru_utime < 0.2: pass
    os._exit(0)
os.waitpid(child, 0)
own, ended = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(int(1e9 * (ended.ru_utime + ended.ru_stime)), flush=True)
sys.stdin.read()
"""


def test_cpu_time_of_a_tree_counts_those_that_have_ended() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin and process.stdout
    with process:
        ended_ns = int(process.stdout.readline())
        seen_ns = proc.cpu_ns([process.pid])
        beside_ns = proc.cpu_ns([os.getpid()])
        assert proc.pss_bytes([process.pid]) > 0
        assert proc.count([process.pid]) == (1, 1)
        process.stdin.close()
    assert ended_ns >= 200_000_000
    # Two sums of ticks may lack one each.
    assert seen_ns >= ended_ns - 2 * proc.NS_PER_TICK
    assert beside_ns >= seen_ns  # the process is below this one
