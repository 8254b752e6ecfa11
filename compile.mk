# Compiles the program and its unit tests: `make -f compile.mk program tests [VARIANT=asan]`.
# New files under common/, fcgi/ and tests/unit/ are found by themselves. tests/lint/lint.mk includes
# this file, so the checks see the same sources and flags.
ifeq ($(origin CC),default)
CC := gcc
endif
VARIANT ?=
WERROR ?= 1
out := build$(if $(VARIANT),/$(VARIANT))
obj := $(out)/obj

# Oracle's libmysqlclient does as well: DATABASE_CLIENT=mysqlclient.
DATABASE_CLIENT ?= libmariadb
libraries := fcgi libcjson libcurl openssl $(DATABASE_CLIENT)
test_libraries := check
ifneq ($(shell pkg-config --exists $(libraries) && echo yes),yes)
$(error The libraries $(libraries) are not all installed; local/setup build installs them)
endif

warnings := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
warnings += $(if $(filter-out 0,$(WERROR)),-Werror)
hardening := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
ifeq ($(VARIANT),)
optimise := -O2 -g $(hardening)
else ifeq ($(VARIANT),asan)
# The sanitizers replace the functions that _FORTIFY_SOURCE would wrap.
sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all
optimise := -O1 -g -fno-omit-frame-pointer $(sanitize)
else ifeq ($(VARIANT),fuzz)
# libFuzzer is clang's alone. What it links brings the main function.
CC := clang
sanitize := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
optimise := -O1 -g $(sanitize)
else
$(error VARIANT is empty, asan or fuzz)
endif

# Headers of other projects are not ours to warn about: -isystem.
system_includes = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(1)))
includes := -I. $(call system_includes,$(libraries))
language := -std=gnu17 -D_GNU_SOURCE
compile_flags := $(language) $(warnings) $(optimise) -fPIE $(includes) $(CPPFLAGS) $(CFLAGS)
link_flags := -pie -Wl,-z,relro,-z,now $(sanitize) $(LDFLAGS)
link_libraries := $(shell pkg-config --libs $(libraries)) -lm

sources := $(shell find common fcgi -name '*.c' 2>/dev/null)
test_sources := $(shell find tests/unit -name '*.c' 2>/dev/null)
program_sources := $(wildcard tests/programs/*.c)
main_source := fcgi/main.c
objects := $(sources:%.c=$(obj)/%.o)
shared_objects := $(filter-out $(main_source:%.c=$(obj)/%.o),$(objects))
test_objects := $(test_sources:%.c=$(obj)/%.o)

# The version names the commit, but only the files that use CBU_VERSION are compiled again for it.
commit := $(shell git rev-parse --short HEAD 2>/dev/null)
version := $(shell cat VERSION)$(if $(commit),+$(commit))
version_sources := $(shell grep -rlw CBU_VERSION --include='*.c' common fcgi tests/unit 2>/dev/null)
version_objects := $(version_sources:%.c=$(obj)/%.o)

.PHONY: program tests fuzz FORCE
.DELETE_ON_ERROR:
program: $(out)/cbu
tests: $(out)/tests/unit $(program_sources:tests/programs/%.c=$(out)/tests/%)

$(out)/cbu: $(objects) $(out)/link.flags
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) -o $@ $(objects) $(link_flags) $(link_libraries)

$(out)/tests/unit: $(test_objects) $(shared_objects) $(out)/link.flags
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) -o $@ $(test_objects) $(shared_objects) $(link_flags) $(link_libraries) \
	    $(shell pkg-config --libs $(test_libraries))

# Programs that tests outside of C drive, linked like the unit tests.
$(program_sources:tests/programs/%.c=$(out)/tests/%): $(out)/tests/%: $(obj)/tests/programs/%.o \
    $(shared_objects) $(out)/link.flags
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) -o $@ $< $(shared_objects) $(link_flags) $(link_libraries)

# libFuzzer programs, one for each file of tests/fuzz: VARIANT=fuzz fuzz.
fuzz_sources := $(wildcard tests/fuzz/*.c)
fuzz: $(fuzz_sources:tests/fuzz/%.c=$(out)/%)
$(fuzz_sources:tests/fuzz/%.c=$(out)/%): $(out)/%: $(obj)/tests/fuzz/%.o $(shared_objects) $(out)/link.flags
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) -fsanitize=fuzzer -o $@ $< $(shared_objects) $(link_flags) $(link_libraries)

$(obj)/%.o: %.c $(out)/compile.flags
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(compile_flags) $(test_includes) $(defines) -MMD -MP -c -o $@ $<

$(test_objects): private test_includes := $(call system_includes,$(test_libraries))
$(version_objects): private defines := -DCBU_VERSION='"$(version)"'
$(version_objects): $(out)/version

# Each of these files changes only when its text does, and what depends on it is then made again.
$(out)/compile.flags: text = $(CC) $(compile_flags)
$(out)/link.flags: text = $(CC) $(link_flags) $(link_libraries) $(sort $(objects) $(test_objects))
$(out)/version: text = $(version)
$(out)/compile.flags $(out)/link.flags $(out)/version: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(text)' | cmp -s - $@ || printf '%s\n' '$(text)' > $@

# .incbin, which -MMD does not see.
$(obj)/fcgi/cli/nginx_variables.o: nginx/variables

-include $(objects:.o=.d) $(test_objects:.o=.d) $(program_sources:%.c=$(obj)/%.d) \
    $(fuzz_sources:%.c=$(obj)/%.d)
