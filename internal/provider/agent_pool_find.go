package provider

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

const (
	maxSuggestions = 5
	// minSimilarity is the similarity from which a name is suggested, between 0 and 1.
	minSimilarity = 0.6
)

// findByName returns the agent pool with the name.
func (d *providerData) findByName(
	ctx context.Context, organization, name string,
) (pulumiapi.AgentPool, diag.Diagnostics) {
	op := readContext(organization, fmt.Sprintf("find agent pool %q", name))
	list, err := d.client.AgentPools(ctx, organization)
	if err == nil && len(list.ByName(name)) == 0 {
		list, err = d.client.RefreshAgentPools(ctx, organization)
	}
	if err != nil {
		return pulumiapi.AgentPool{}, diag.Diagnostics{d.errorDiagnostic(op, err)}
	}
	switch found := list.ByName(name); len(found) {
	case 1:
		return found[0], nil
	case 0:
		return pulumiapi.AgentPool{}, diag.Diagnostics{diag.NewErrorDiagnostic("Agent pool not found",
			fmt.Sprintf("Organization %q has no agent pool named %q. %s", organization, name, suggestNames(list.Pools, name)))}
	default:
		ids := make([]string, len(found))
		for i, pool := range found {
			ids[i] = pool.ID
		}
		return pulumiapi.AgentPool{}, diag.Diagnostics{diag.NewErrorDiagnostic("Agent pool name is ambiguous",
			fmt.Sprintf("Organization %q has %d agent pools named %q. Use one of these IDs instead of the name: %s.",
				organization, len(found), name, strings.Join(ids, ", ")))}
	}
}

// findByID returns the agent pool with the ID. If the list does not have it, only the fields that GetAgentPool
// returns are set.
func (d *providerData) findByID(
	ctx context.Context, organization, id string,
) (pulumiapi.AgentPool, diag.Diagnostics) {
	op := readContext(organization, "find agent pool "+id)
	list, err := d.client.AgentPools(ctx, organization)
	if err != nil {
		return pulumiapi.AgentPool{}, diag.Diagnostics{d.errorDiagnostic(op, err)}
	}
	pool, err := d.client.ReadAgentPool(ctx, organization, id)
	switch {
	case isNotFound(err):
		return pool, diag.Diagnostics{diag.NewErrorDiagnostic("Agent pool not found",
			fmt.Sprintf("Organization %q has no agent pool with the ID %q. %s", organization, id, suggestNames(list.Pools, id)))}
	case err != nil:
		return pool, diag.Diagnostics{d.errorDiagnostic(op, err)}
	}
	pool.IsDefault = strings.EqualFold(pool.ID, list.DefaultID)
	return pool, nil
}

// agentPoolFilter selects agent pools. A null filter matches all.
type agentPoolFilter struct {
	Organization types.String `tfsdk:"organization"`
	NameRegex    types.String `tfsdk:"name_regex"`
	Status       types.String `tfsdk:"status"`
}

// selectPools returns the list of the organization, and the agent pools that match both filters, sorted by name.
func (d *providerData) selectPools(
	ctx context.Context, filter agentPoolFilter,
) (list *pulumiapi.AgentPoolList, selected []pulumiapi.AgentPool, diags diag.Diagnostics) {
	organization := filter.Organization.ValueString()
	list, err := d.client.AgentPools(ctx, organization)
	if err != nil {
		return nil, nil, diag.Diagnostics{d.errorDiagnostic(readContext(organization, "list the agent pools"), err)}
	}
	name, err := regexp.Compile(filter.NameRegex.ValueString())
	if err != nil {
		diags.AddAttributeError(path.Root("name_regex"), "Invalid regular expression", err.Error())
		return nil, nil, diags
	}
	for _, pool := range list.Pools {
		if name.MatchString(pool.Name) && (filter.Status.IsNull() || pool.Status == filter.Status.ValueString()) {
			selected = append(selected, pool)
		}
	}
	slices.SortFunc(selected, func(a, b pulumiapi.AgentPool) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return list, selected, nil
}

// suggestNames returns a sentence with the agent pools whose name or ID is similar.
func suggestNames(pools []pulumiapi.AgentPool, wanted string) string {
	if len(pools) == 0 {
		return "It has no agent pools."
	}
	wanted = strings.ToLower(wanted)
	similarity := func(pool pulumiapi.AgentPool) float64 {
		name := strings.ToLower(pool.Name)
		score := max(levenshtein.Similarity(wanted, name, nil), levenshtein.Similarity(wanted, pool.ID, nil))
		if strings.Contains(name, wanted) || strings.Contains(wanted, name) {
			score = max(score, minSimilarity)
		}
		return score
	}
	similar := slices.DeleteFunc(slices.Clone(pools), func(pool pulumiapi.AgentPool) bool {
		return similarity(pool) < minSimilarity
	})
	if len(similar) == 0 {
		return "None of its agent pools has a similar name or ID. Check the name or ID, and the organization."
	}
	slices.SortFunc(similar, func(a, b pulumiapi.AgentPool) int {
		return cmp.Or(cmp.Compare(similarity(b), similarity(a)), strings.Compare(a.Name, b.Name))
	})
	var names []string
	for _, pool := range similar[:min(len(similar), maxSuggestions)] {
		names = append(names, fmt.Sprintf("%q (%s)", pool.Name, pool.ID))
	}
	return "Similar agent pools: " + strings.Join(names, ", ") + ". Use one of them, or check the organization."
}
