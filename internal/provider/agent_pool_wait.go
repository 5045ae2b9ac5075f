package provider

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// awaitTimeout is how long a refresh waits for an agent pool that was just created.
const awaitTimeout = 15 * time.Second

// awaitAgentPool reads an agent pool until it appears.
func (r *agentPoolResource) awaitAgentPool(ctx context.Context, organization, id string) (pulumiapi.AgentPool, error) {
	var pool pulumiapi.AgentPool
	var err error
	pollErr := r.data.client.Poll(ctx, awaitTimeout, func() (bool, error) {
		pool, _, err = r.data.client.GetAgentPool(ctx, organization, id)
		return !isNotFound(err), nil
	})
	return pool, cmp.Or(pollErr, err)
}

// drain waits until no deployment is running on the agent pool.
func (r *agentPoolResource) drain(ctx context.Context, state agentPoolModel) diag.Diagnostics {
	timeout, organization := durationOr(state.DrainTimeout, 0), state.Organization.ValueString()
	if timeout == 0 {
		return nil
	}
	var active []pulumiapi.Deployment
	err := r.data.client.Poll(ctx, timeout, func() (bool, error) {
		var err error
		active, err = r.data.client.ActiveDeployments(ctx, organization, state.ID.ValueString())
		return len(active) == 0, err
	})
	if err != nil {
		op := contextIn(organization, "deployments:read", "read the deployments before deleting "+state.String())
		return diag.Diagnostics{r.data.errorDiagnostic(op, err)}
	}
	if len(active) == 0 {
		return nil
	}
	lines := []string{fmt.Sprintf("The %s was not deleted, because it was still executing deployments after %s. Wait until they "+
		"are finished, or apply a longer drain_timeout first.", &state, timeout)}
	for _, d := range active {
		lines = append(lines, fmt.Sprintf("- stack %q of project %q: %s", d.Stack, d.Project, d.Status))
	}
	return diag.Diagnostics{diag.NewErrorDiagnostic("Agent pool is executing deployments", strings.Join(lines, "\n"))}
}
