# Every developer and QA action. The C build itself is in compile.mk and the checks are in
# tests/lint/lint.mk: both are read by a make of their own, after local/setup has installed what
# their first lines ask for (a compiler, pkg-config).
.DEFAULT_GOAL := help
# Actions named together run one after the other; inside an action the work runs in parallel.
.NOTPARALLEL:
.PHONY: help setup build run test test-full lint format test-asan test-valgrind contract-full drill \
    soak bench fuzz image image-test qa-image-test checkov infra-test synth bootstrap deploy-registry deploy-base \
    push deploy-migration deploy deploy-pipeline watch diff rollback docs docs-assets clean

JOBS ?= $(shell nproc)
# A jobserver that is already there (make -j4 build) is used as it is; the + before such a line
# hands it on.
parallel = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))
compile = $(parallel) -f compile.mk
lint = $(parallel) -f tests/lint/lint.mk

# What `make run` hands to local/stack, from the command line or the environment.
stack_options = $(if $(DB),--db $(DB)) $(if $(DATA),--data '$(DATA)') $(if $(PORT),--port $(PORT)) \
    $(if $(WORKERS),--workers $(WORKERS)) $(if $(filter 0,$(AWS)),,--aws) \
    $(if $(filter 0,$(SIGN_IN)),,--sign-in)
# SUITE= and TEST= reach tests/run through the environment.
export SUITE TEST
# What `make bench` hands to bench/run; N= is the rows of the catalogue.
bench_options = $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(N),--products $(N)) $(if $(PEERS),--peers '$(PEERS)') \
    $(if $(ROUTES),--routes '$(ROUTES)') $(if $(CLIENTS),--clients $(CLIENTS)) $(if $(DB),--db $(DB)) \
    $(if $(REQUESTS),--requests $(REQUESTS))

help: ## this list
	@echo 'usage: make TARGET [NAME=value ...]'
	@sed -nE 's/^([a-z][a-z-]*):[^#]*## (.*)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | \
	    while IFS='	' read -r target text; do printf '  %-16s %s\n' "$$target" "$$text"; done

setup: ## installs what the other targets need (apt packages, build/venv, downloads), but MinIO for test-full, checkov and bench
	@local/setup all

docs-assets: ## build/docs-assets: the page and the viewer of /docs, for nginx (NGINX_DOCS_DIR)
	@local/setup docs

build: ## compiles build/cbu; CC=clang, WERROR=0
	@local/setup build
	+@$(compile) program

run: ## starts the catalogue: database, stand-ins for AWS and Cognito, nginx, workers, demo data; PORT=8000 WORKERS=8 DB=mariadb|mysql DATA=folder AWS=1|0 SIGN_IN=1|0
	@local/setup run $(filter mysql,$(DB)) $(if $(filter 0,$(SIGN_IN)),,sign-in)
	+@$(compile) program
	@exec local/stack up --follow $(stack_options)

test: ## every suite, two at a time, reports in build/reports/; SUITE=unit, TEST=words of a test's name, TEST_JOBS=1
	@local/setup test infra
	+@$(compile) program tests
	+@$(compile) VARIANT=fuzz fuzz
	@exec tests/run

test-full: ## `make test`, and MinIO as a second judge of signatures, for temporary credentials too; SUITE= TEST=
	@local/setup test infra minio
	+@$(compile) program tests
	+@$(compile) VARIANT=fuzz fuzz
	@exec tests/run --plan full

lint: ## clang-format, clang-tidy, cppcheck, gcc -fanalyzer, clang, ruff, shellcheck, include directions
	@local/setup lint
	+@$(lint)

format: ## lays out C and Python as `make lint` wants them
	@local/setup lint
	+@$(lint) format

test-asan: ## unit, vectors, s3 and integration under AddressSanitizer and UndefinedBehaviorSanitizer; SUITE= TEST=
	@local/setup test
	+@$(compile) VARIANT=asan program tests
	@exec tests/run --plan asan

test-valgrind: ## unit and 200 requests under valgrind; SUITE= TEST=
	@local/setup test valgrind
	+@$(compile) program tests
	@exec tests/run --plan valgrind

image: ## container images app and nginx with docker, podman or buildah; STAGE='app nginx test' IMAGE_TOOL= BASE=
	@local/image build $(STAGE)

image-test: ## builds both images on a base made here and runs them as ECS would; root; TEST=
	@local/setup test infra image
	+@$(compile) program
	@tests/run --plan images
	@cat build/reports/images.txt

qa-image-test: ## builds QA's container (the image `test`) the same way and runs unit tests and lint in it; root, minutes
	@local/setup image
	@tests/images/qa

infra-test: ## the suite of the AWS side alone (part of `make test`); TEST=
	@local/setup infra
	@exec tests/run --suite infra

checkov: ## checkov's report on the templates (defaults, all flags) and the Dockerfile, in build/reports
	@local/setup infra checkov
	@infra/run-checkov

synth: ## CloudFormation templates of the AWS side, offline, into build/cdk.out or OUT=empty-folder
	@local/setup infra
	@if [ -n '$(OUT)' ]; then \
	    [ -z "$$(ls -A '$(OUT)' 2>/dev/null)" ] || { echo "make synth: '$(OUT)' is not empty" >&2; exit 1; }; \
	else rm -rf build/cdk.out; fi
	@PATH="$$PWD/build/venv-infra/bin:$$PATH" CDK_OUTDIR='$(or $(OUT),build/cdk.out)' python3 cdk_app.py
	@ls -d '$(or $(OUT),build/cdk.out)'/*.template.json

# Deployment: docs/deployment.md. They ask before they change anything. CONFIRM=yes agrees, DRY_RUN=1
# only prints, CONTEXT='waf=true WORKERS=4' chooses, IMAGE_TAG names another release than HEAD.
release = python3 -m infra.release
bootstrap: ## prepares an AWS account for the CDK, once; DRY_RUN=1 prints what each of these would do
	@local/setup infra
	@$(release) $@

deploy-registry: ## the registry of images, first of all
	@local/setup infra
	@$(release) $@

push: ## builds the images of HEAD and pushes them under its hash
	@$(release) $@

deploy-base: ## network, database, users, secrets; at first, and when they change
	@local/setup infra
	@$(release) $@

deploy-migration: ## the database to this release: `cbu migrate` as a one-off task (part of deploy)
	@local/setup infra
	@$(release) $@

deploy: ## a release: migration, service, watch; first time: HOSTED_ZONE_ID= ALARM_EMAIL=
	@local/setup infra
	@$(release) $@

deploy-pipeline: ## with CONTEXT=pipeline=true: CONNECTION_ARN= SOURCE=owner/name
	@local/setup infra
	@$(release) $@

watch: ## follows the service until it is steady, and looks at the alarms
	@$(release) $@

diff: ## what a deployment of this checkout would change
	@local/setup infra
	@$(release) $@

rollback: ## the service back to an earlier release: TO=hash; without it, lists them
	@$(release) $@

contract-full: ## the suite of the API document with 20,000 generated requests instead of 2,000
	@local/setup contract
	+@$(compile) program
	@exec tests/run --plan contract-full

drill: ## changes, stops and kills the pool and rotates every secret under load, and lives through outages; OUTAGE_S=60
	@local/setup test
	+@$(compile) program
	@exec tests/run --plan drill

soak: ## a million requests over kept connections and as many over new ones; N=1000000 ROUNDS=5
	@local/setup test soak
	+@$(compile) program
	@N='$(N)' ROUNDS='$(ROUNDS)' tests/run --plan soak
	@cat build/reports/soak.txt

bench: ## measures beside FastAPI, Go, axum and PHP; ROUNDS=5 N=10000 (rows) PEERS= ROUTES= CLIENTS=8 REQUESTS=20000 DB=
	@local/setup bench $(filter mysql,$(DB))
	+@$(compile) program
	@exec bench/run $(bench_options)

fuzz: ## runs every fuzz target from its seeds for FUZZ_S=60 s, or RUNS=1000000 executions; findings stay in build/fuzz
	@local/setup test
	+@$(compile) VARIANT=fuzz fuzz
	@exec tests/fuzz/run

docs: build ## writes docs/configuration.md and infra/settings.json from the tables of the program and of nginx
	docs/write-configuration > build/configuration.md
	mv build/configuration.md docs/configuration.md
	docs/write-settings > build/settings.json
	mv build/settings.json infra/settings.json

clean: ## removes what the build made; the data of `make run` (local/data) stays
	rm -rf build
