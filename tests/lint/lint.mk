# `make lint` and `make format`, with the sources and flags of compile.mk. What was found clean is
# remembered in build/lint until one of its files changes, so a second run is quick.
.DEFAULT_GOAL := lint
MAKEFLAGS += --output-sync=target
include compile.mk

# A run reports everything: what fails does not keep the rest from being checked.
MAKEFLAGS += --keep-going
stamps := build/lint
headers := $(shell find common fcgi tests/unit tests/fuzz -name '*.h' 2>/dev/null)
c_sources := $(sources) $(test_sources) $(program_sources) $(fuzz_sources)
# Any version does here: a new commit must not check everything again.
lint_flags = $(compile_flags) -DCBU_VERSION='"lint"'
python := build/venv/bin/python
clang_format := build/venv/bin/clang-format
oracle := build/deps/libmysqlclient/usr/include
shell_scripts := $(shell grep -lsE '^\#!/(bin/sh|usr/bin/env bash)' local/* nginx/* infra/* .ci/* docs/* tests/*/*)

checks := $(c_sources:%.c=$(stamps)/%.clang) $(c_sources:%.c=$(stamps)/%.analyzer) \
    $(c_sources:%.c=$(stamps)/%.tidy) $(headers:%=$(stamps)/%.alone) \
    $(patsubst %.c,$(stamps)/%.oracle,$(filter common/db/%,$(sources))) \
    $(stamps)/format $(stamps)/cppcheck $(stamps)/shellcheck

.PHONY: lint format always settings
lint: $(checks) include-directions ruff settings
	@echo 'lint: clean$(if $(wildcard $(oracle)),, but for what was NOT CHECKED, see above)'

$(c_sources:%.c=$(stamps)/%.clang) $(c_sources:%.c=$(stamps)/%.analyzer) $(c_sources:%.c=$(stamps)/%.tidy) \
    $(headers:%=$(stamps)/%.alone): $(out)/compile.flags

# One -M output names the headers for all three checks of a source file.
$(stamps)/%.clang: %.c
	@mkdir -p $(@D)
	@clang $(lint_flags) -fsyntax-only -MD -MP -MF $(@:.clang=.d) \
	    -MT '$@ $(@:.clang=.analyzer) $(@:.clang=.tidy)' $<
	@echo "  clang $<" && touch $@

$(stamps)/%.analyzer: %.c
	@mkdir -p $(@D)
	@gcc $(lint_flags) -fanalyzer -c -o /dev/null $<
	@echo "  gcc -fanalyzer $<" && touch $@

# clang-tidy counts on standard error what it suppresses, also when nothing is wrong.
$(stamps)/%.tidy: %.c .clang-tidy
	@mkdir -p $(@D)
	@clang-tidy --quiet $< -- $(filter-out -Werror,$(lint_flags)) 2>$@.log || { cat $@.log; exit 1; }
	@echo "  clang-tidy $<" && touch $@

# A header must be usable without anything before it.
$(stamps)/%.alone: % $(headers)
	@mkdir -p $(@D)
	@clang $(lint_flags) -Wno-unused-function -fsyntax-only -x c $<
	@touch $@

# common/db must compile with Oracle's client library as well; these are its headers.
ifneq ($(wildcard $(oracle)),)
$(stamps)/%.oracle: %.c $(headers)
	@mkdir -p $(@D)
	@gcc $(language) $(warnings) -fsyntax-only -I. $(call system_includes,fcgi libcjson openssl) \
	    -isystem $(oracle)/mysql -isystem $(oracle) $<
	@echo "  libmysqlclient $<" && touch $@
else
$(stamps)/%.oracle: always
	@echo "lint: NOT CHECKED: $*.c against Oracle's libmysqlclient, whose headers could not be fetched"
endif

$(stamps)/format: $(c_sources) $(headers) .clang-format $(clang_format)
	@mkdir -p $(@D)
	@$(clang_format) --dry-run -Werror $(c_sources) $(headers)
	@echo '  clang-format' && touch $@

$(stamps)/cppcheck: $(c_sources) $(headers) tests/lint/cppcheck.suppressions tests/lint/cppcheck.cfg
	@mkdir -p $(@D)/cppcheck.build
	@cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability \
	    --inline-suppr --suppressions-list=tests/lint/cppcheck.suppressions --suppress=missingInclude \
	    --library=posix --library=tests/lint/cppcheck.cfg --error-exitcode=1 \
	    --cppcheck-build-dir=$(@D)/cppcheck.build -D_GNU_SOURCE '-DCBU_VERSION="lint"' -I. \
	    common fcgi tests/unit tests/programs tests/fuzz
	@echo '  cppcheck' && touch $@

$(stamps)/shellcheck: $(shell_scripts)
	@mkdir -p $(@D)
	@shellcheck $(shell_scripts)
	@echo '  shellcheck' && touch $@

.PHONY: include-directions ruff
include-directions:
	@tests/lint/include-directions
	@echo '  include directions'

ruff:
	@build/venv/bin/ruff check --quiet
	@build/venv/bin/ruff format --quiet --check || { build/venv/bin/ruff format --diff; exit 1; }
	@echo '  ruff'

format:
	@$(clang_format) -i $(c_sources) $(headers)
	@build/venv/bin/ruff check --quiet --select I --fix
	@build/venv/bin/ruff format --quiet

-include $(c_sources:%.c=$(stamps)/%.d)

# The AWS side reads a copy of the program's settings table, so that it needs no program.
settings: $(out)/cbu
	@docs/write-settings $< | diff -u infra/settings.json - || \
	    { echo 'infra/settings.json is not the table of the program: make docs renews it' >&2; exit 1; }
