# syntax=docker/dockerfile:1.17
# `docker build -t network-security-app .` and `docker run -p 5000:5000 network-security-app`; docs/deploy.md.

# The bases can be replaced, by ones with a digest or by a mirror's.
ARG BUILDER=docker.io/library/rust:1.95-bookworm
ARG RUNTIME=docker.io/library/busybox:1.37-uclibc

FROM ${BUILDER} AS sources
WORKDIR /source
ENV CARGO_NET_RETRY=5 CARGO_TERM_COLOR=never
# Static: the C library, with what looks names up, is part of each binary.
ENV RUSTFLAGS="-C target-feature=+crt-static" TARGET=x86_64-unknown-linux-gnu

# Manifests alone, with empty crates behind them: what the dependencies' layer below depends on.
FROM sources AS manifests
COPY . .
RUN deploy/image/skeleton .

# Compiled once for as long as no manifest changes.
FROM sources AS dependencies
ARG FEATURES=full
COPY --from=manifests /source .
RUN cargo build --profile image --locked --target "$TARGET" --package multicall --features "$FEATURES"

# Has the program say which crates it is made of, for who lists what is in an image or looks for known flaws.
FROM sources AS auditable
RUN cargo install cargo-auditable --version 0.7.7 --locked --target "$TARGET" --root /usr/local

FROM dependencies AS build
# Again: not every builder hands a stage's arguments on to the next.
ARG FEATURES=full
COPY --from=auditable /usr/local/bin/cargo-auditable /usr/local/bin/
COPY . .
# Newer than the empty crates, which cargo would otherwise take for these.
RUN find crates -name '*.rs' -exec touch {} + \
    && cargo auditable build --profile image --locked --target "$TARGET" --package multicall --features "$FEATURES" \
    && mkdir /out \
    && cp "target/$TARGET/image/netsec-multicall" /out/netsec \
    && ln -s netsec /out/netsec-server

# What both images share: a shell and a few tools for the entry point, no package manager, no user but ours.
FROM ${RUNTIME} AS base
COPY --from=sources /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY deploy/image/passwd deploy/image/group /etc/
# Copied, not made by a command: a new volume takes over what is here, with its owner.
COPY --chown=10001:10001 deploy/image/data /data
ENV NETSEC_ARTIFACTS=/data/artifacts \
    NETSEC_STATE=/data/state \
    TMPDIR=/data/tmp \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    NO_COLOR=1
WORKDIR /data
VOLUME /data
USER 10001:10001
ARG REVISION=unknown
ARG SOURCE=""
LABEL org.opencontainers.image.title="network-security-app" \
      org.opencontainers.image.description="Trains, promotes and serves detectors of network threats" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

# The program goes by its name: `netsec`, or `netsec-server`. For jobs: docker run network-security-pipeline run --source …
FROM base AS pipeline
COPY --from=build /out/netsec /usr/local/bin/netsec
ENTRYPOINT ["/usr/local/bin/netsec"]
CMD ["run", "--progress", "off"]

# Last, so that it is what a build without --target gives.
FROM base AS server
COPY --from=build /out/ /usr/local/bin/
COPY deploy/image/entrypoint /usr/local/bin/entrypoint
ENV NETSEC_LISTEN=0.0.0.0:5000
EXPOSE 5000
STOPSIGNAL SIGTERM
# busybox's, by address: the service refuses names that it was not told.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10m --retries=3 \
    CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:5000/healthz"]
ENTRYPOINT ["/usr/local/bin/entrypoint"]
