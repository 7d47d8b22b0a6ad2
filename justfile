# Thin names for the house's commands; each line also works typed by hand.

# List the recipes
default:
    @just --list

# Every check that a change must pass, or the steps named: `just test clippy python`
test *steps:
    tools/test {{ steps }}

# Compile quickly, without linking
check *args:
    cargo check --workspace --all-targets {{ args }}

# Format Rust and proto files
fmt:
    cargo fmt --all
    "$(tools/install)/buf" format --write

# The whole product against a stand-in PostHog, on this machine
demo *args:
    cargo run --release --bin ordinary-posthog -- demo {{ args }}

# Speed and memory of the whole product, beside the databases' own: `just bench memory`
bench *args:
    cargo run --release -p bench -- {{ args }}

# Run connections from a file: `just up connection.yaml`
up file *args:
    cargo run --release --bin ordinary-posthog -- up -f {{ file }} {{ args }}

# Write the generated files anew
generate:
    tools/generate

# What changed in the gRPC API since a tag or branch that a caller would notice
breaking against="main":
    "$(tools/install)/buf" breaking --against '.git#branch={{ against }}'

# Ask a running server: `just grpc list`, `just grpc ordinary.posthog.v1.EventService/GetFunnel '{…}'`
grpc method body="{}":
    "$(tools/install)/grpcurl" -plaintext -d {{ quote(body) }} "${ORDINARY_POSTHOG_GRPC_ADDR:-127.0.0.1:50051}" {{ quote(method) }}

# Known vulnerabilities of the dependencies (fetches RustSec's database)
advisories:
    tools/test advisories

# Install the pinned tools and print their folder
tools:
    tools/install
