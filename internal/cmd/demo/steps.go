package main

import (
	"context"
	"errors"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// Elements of the example's variable, and an import block.
const (
	renamed     = `network = { name = "network-runners-eu" }`
	forced      = `network = { name = "network-runners-eu", force_destroy = true }`
	payments    = `payments = { name = "payments-runners" }`
	legacy      = `legacy = { name = "legacy-runners" }`
	importBlock = "import {\n  to = pulumicloud_agent_pool.team[\"legacy\"]\n  id = \"acme/legacy-runners\"\n}\n"
)

func (d *demo) steps(ctx context.Context) []step {
	apply := []string{"apply", "-auto-approve"}
	return []step{
		{
			title:   "Build the provider, and install it from a local mirror.",
			prepare: func() error { return d.build(ctx) },
			args:    []string{"init"},
		},
		{
			title: "Create two agent pools. Only the responses contain the tokens, which go into the state.",
			args:  apply, writes: []string{"POST 200", "POST 200"}, checkTokens: true,
		},
		{
			title: "Plan again. One request refreshes all agent pools.",
			args:  []string{"plan"}, wants: "No changes.",
		},
		{
			title:   "Rename an agent pool. It keeps its ID and token.",
			prepare: func() error { return d.setTeams(renamed, payments) },
			args:    apply, writes: []string{"PATCH 200"}, checkTokens: true,
		},
		{
			title: "Start a runner. No agent pool changes.",
			prepare: func() error {
				return d.cloud.ConnectAgent(organization, d.ids["network"], emulator.Agent{Hostname: "runner-1"})
			},
			args: apply, wants: "0 added, 0 changed, 0 destroyed",
		},
		{
			title: "The data source shows which agent pools have a runner online.",
			args:  []string{"output", "-json", "online_agent_pools"}, wants: `["network-runners-eu"]`,
		},
		{
			title: "Import an agent pool that was created in the console, by its name.",
			prepare: func() error {
				_, _, err := d.cloud.CreateAgentPool(organization, "legacy-runners", "")
				return errors.Join(err, d.setTeams(renamed, payments, legacy), d.Write("import.tf", importBlock))
			},
			args: apply, wants: "1 imported, 0 added, 0 changed, 0 destroyed",
		},
		{
			title: "Remove an agent pool that a stack uses. Pulumi Cloud refuses to delete it, and nothing is lost.",
			prepare: func() error {
				err := d.cloud.SetStackPool(organization, "website", "production", d.ids["network"])
				return errors.Join(err, d.setTeams(payments, legacy))
			},
			args: apply, fails: true, wants: "Agent pool in use", writes: []string{"DELETE 400"}, checkTokens: true,
		},
		{
			title:   "Set force_destroy. It changes the state only.",
			prepare: func() error { return d.setTeams(forced, payments, legacy) },
			args:    apply,
		},
		{
			title: "Destroy everything.",
			args:  []string{"destroy", "-auto-approve"}, writes: []string{"DELETE 204", "DELETE 204", "DELETE 204"},
		},
	}
}
