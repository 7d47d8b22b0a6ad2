# The image of every role: one static program, certificate authorities and time zones.
# `tools/image` makes the same without Docker.
#
#   docker build -t ghcr.io/ordinary/ordinary-posthog:0.1.0 .

FROM rust:1-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# --target keeps build scripts, which must load libraries of the machine, as they are.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    triple="$(uname -m)-unknown-linux-gnu" \
    && RUSTFLAGS="-C target-feature=+crt-static" \
       cargo build --release --locked --target "$triple" -p ordinary-posthog --bin ordinary-posthog \
    && strip --strip-debug -o /ordinary-posthog "target/$triple/release/ordinary-posthog"

# Without a shell or a package manager; has authorities, time zones and the user 65532.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /ordinary-posthog /usr/bin/ordinary-posthog
USER 65532:65532
ENTRYPOINT ["/usr/bin/ordinary-posthog"]
