#!/bin/sh
# Decrypts the token of the agent pool and runs a command with it in PULUMI_AGENT_TOKEN:
#
#   with-agent-token COMMAND [ARGUMENT]...
#
# AGENT_TOKEN_FILE is the encrypted token. AGENT_TOKEN_IDENTITY is the private key of one of its recipients: an age
# identity or an SSH private key without a passphrase.
set -eu

PULUMI_AGENT_TOKEN=$(
  age --decrypt \
    --identity "${AGENT_TOKEN_IDENTITY:-/etc/ssh/ssh_host_ed25519_key}" \
    "${AGENT_TOKEN_FILE:-/etc/pulumi-runner/token.age}"
)
export PULUMI_AGENT_TOKEN
exec "$@"
