# The images: build, test (QA's CI container), app and nginx (what runs on ECS).
#     local/image build [STAGE ...]     or: docker build --target app -t cbu-app .
# docs/infrastructure.md says what each promises; tests/images proves it with infra/'s task definition.
#
# Pinned by date and digest, so that a build of today is a build of tomorrow; what must not stand
# still, Debian's security fixes, comes with `apt-get upgrade` below, anew each DAY. To renew the pin,
# take a newer date of the same name, and its digest, from the registry. BASE is another only where no
# registry can be reached (local/image base); `make push` refuses such images.
ARG BASE=docker.io/library/debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171

FROM ${BASE} AS tools
ARG DEBIAN_FRONTEND=noninteractive
WORKDIR /src
# The packages are named in local/setup alone.
COPY local/setup local/
COPY requirements*.txt ./
COPY nginx/docs nginx/docs
RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && local/setup build \
    && rm -rf /var/lib/apt/lists/*

FROM tools AS build
COPY compile.mk VERSION ./
COPY common common
COPY fcgi fcgi
COPY nginx/variables nginx/
ARG COMMIT
RUN make -f compile.mk -j"$(nproc)" program commit="${COMMIT}" \
    && install -D -s build/cbu /out/usr/local/bin/cbu
COPY migrations /out/usr/local/share/cbu/migrations

# The page at /docs and its viewer, a package of the npm registry.
FROM tools AS docs
ARG DEBIAN_FRONTEND=noninteractive
# Where a proxy inspects TLS: the bundle, in the base image, that pip and npm are to trust.
ARG PIP_CERT
ARG NODE_EXTRA_CA_CERTS
RUN local/setup docs

# What CI does, in a container: `docker run --rm -v "$PWD/reports:/src/build/reports" IMAGE`, or
# `IMAGE lint`, or `IMAGE test SUITE=unit`.
FROM tools AS test
ARG DEBIAN_FRONTEND=noninteractive
# As above.
ARG PIP_CERT
ARG NODE_EXTRA_CA_CERTS
ENV XDG_CACHE_HOME=/var/cache/cbu
# Java, for Maven, puts links into a folder that slim images lack.
RUN mkdir -p /usr/share/man/man1 \
    && local/setup test infra lint valgrind \
    && useradd --uid 1000 --create-home qa \
    && install -d -o qa -g qa build/reports \
    && chown qa:qa . build build/setup /var/cache/cbu/cbu \
    && rm -rf /var/lib/apt/lists/*
COPY --chown=qa:qa . .
USER qa
VOLUME /src/build/reports
ENTRYPOINT ["make"]
CMD ["test"]

FROM ${BASE} AS app
ARG DEBIAN_FRONTEND=noninteractive
ARG DAY
RUN apt-get update \
    && apt-get upgrade -y \
    && apt-get install -y --no-install-recommends \
        ca-certificates libcjson1 libcurl4 libfcgi0ldbl libmariadb3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* /var/lib/dpkg/*-old
# Its group is nginx's too, for the sockets. Fargate gives an empty volume the owner and mode that the
# image has there, if it is declared with VOLUME.
RUN groupadd --gid 10001 cbu \
    && useradd --uid 10001 --gid cbu --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin cbu \
    && install -d -o cbu -g cbu -m 0750 /run/cbu
COPY --from=build /out /
# The linker finds every library, or there is no image.
RUN cbu version
ENV MIGRATIONS_DIR=/usr/local/share/cbu/migrations
USER 10001:10001
VOLUME ["/run/cbu", "/tmp"]
STOPSIGNAL SIGTERM
# The same times as in infra/service.py; ECS reads its own, Docker and podman these.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 CMD ["cbu", "healthcheck"]
ENTRYPOINT ["cbu"]
CMD ["serve"]

FROM ${BASE} AS nginx
ARG DEBIAN_FRONTEND=noninteractive
ARG DAY
RUN apt-get update \
    && apt-get upgrade -y \
    && apt-get install -y --no-install-recommends nginx openssl \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* /var/lib/dpkg/*-old /var/www
RUN groupadd --gid 10001 cbu \
    && useradd --uid 10002 --gid cbu --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin cbu-nginx \
    && install -d -o 10001 -g cbu -m 0750 /run/cbu \
    && install -d -o cbu-nginx -g cbu -m 0700 /run/nginx
COPY nginx /usr/local/share/cbu/nginx
COPY --from=docs /src/build/docs-assets /usr/share/cbu/docs
# What is in the image can be rendered and is a configuration that this nginx accepts.
RUN cd /usr/local/share/cbu/nginx && ./render /run/nginx/nginx.conf \
    && nginx -t -q -c /run/nginx/nginx.conf && rm -rf /run/nginx/*
USER 10002:10001
EXPOSE 8000
VOLUME ["/run/cbu", "/run/nginx"]
# Graceful: SIGTERM would cut running requests off.
STOPSIGNAL SIGQUIT
# The load balancer asks through nginx, so there is nothing more to ask here.
HEALTHCHECK NONE
ENTRYPOINT ["/usr/local/share/cbu/nginx/start"]
