#!/bin/sh
# Brings a simulated runner of the agent pool AGENT_POOL_ID online in the emulator. For real runners, replace this with
# the command that starts them with the token PULUMI_AGENT_TOKEN.
set -eu

curl --silent --show-error --fail --output /dev/null \
  --request POST "$PULUMI_BACKEND_URL/emulator/orgs/acme/agent-pools/$AGENT_POOL_ID/agents" \
  --header "Authorization: token $PULUMI_ACCESS_TOKEN" \
  --header "Content-Type: application/json" \
  --data '{"hostname": "runner-1"}'
