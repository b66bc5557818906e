# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Registry and target folder stay with the builder, so that a change of ours compiles ours alone.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package doorward \
    && install -D target/release/doorward /out/doorward

FROM debian:bookworm-slim
# The TLS client takes its authorities from these files, and does not start without.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 doorward \
    && useradd --uid 10001 --gid doorward --no-create-home --home-dir /data --shell /usr/sbin/nologin doorward \
    && install --directory --owner=doorward --group=doorward --mode=0700 /data
COPY --from=build /out/doorward /usr/local/bin/doorward

ENV HOST=0.0.0.0 \
    PORT=8000 \
    DATA_DIR=/data
# A new volume takes owner and mode from the folder above; a bind mount must be writable for 10001.
VOLUME /data
WORKDIR /data
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["doorward", "health"]
ENTRYPOINT ["doorward"]
CMD ["serve"]
