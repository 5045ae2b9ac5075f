package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

const (
	maxNearNames = 5
	// nearness is how similar a name has to be to be offered, between 0 and 1.
	nearness = 0.6
)

// findByName returns the pool of that name.
func (c *connection) findByName(ctx context.Context, organization, name string) (cloud.AgentPool, diag.Diagnostics) {
	var diagnostics diag.Diagnostics
	list, err := c.client.AgentPools(ctx, organization)
	if err != nil {
		addError(&diagnostics, readOperation(organization, fmt.Sprintf("find agent pool %q", name)), err)
		return cloud.AgentPool{}, diagnostics
	}
	found := list.ByName(name)
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		diagnostics.AddError("Agent pool not found",
			fmt.Sprintf("Organization %q has no agent pool named %q. %s", organization, name, nearNames(list.Pools, name)))
	default:
		diagnostics.AddError("Agent pool's name is ambiguous",
			fmt.Sprintf("Organization %q lists %d agent pools named %q. Use the id of the one that is meant.",
				organization, len(found), name))
	}
	return cloud.AgentPool{}, diagnostics
}

// findByID returns the pool of that id with what the list knows of it. One that the list does not tell of, or tells of
// twice, is asked for by itself.
func (c *connection) findByID(ctx context.Context, organization, id string) (cloud.AgentPool, diag.Diagnostics) {
	var diagnostics diag.Diagnostics
	list, err := c.client.AgentPools(ctx, organization)
	if err != nil {
		addError(&diagnostics, readOperation(organization, "find agent pool "+id), err)
		return cloud.AgentPool{}, diagnostics
	}
	if pool, found := list.ByID(id); found {
		return pool, nil
	}
	detail, err := c.client.GetAgentPool(ctx, organization, id)
	var missing *cloud.AgentPoolNotFoundError
	switch {
	case errors.As(err, &missing):
		diagnostics.AddError("Agent pool not found",
			fmt.Sprintf("Organization %q has no agent pool with the id %q. %s", organization, id, nearNames(list.Pools, id)))
		return cloud.AgentPool{}, diagnostics
	case err != nil:
		addError(&diagnostics, readOperation(organization, "find agent pool "+id), err)
		return cloud.AgentPool{}, diagnostics
	}
	pool := detail.AgentPool()
	pool.IsDefault = pool.ID == list.DefaultID
	return pool, nil
}

// selectPools returns the pools that match, sorted by name. A null filter matches all.
func selectPools(pools []cloud.AgentPool, nameRegex, status types.String) []cloud.AgentPool {
	name := regexp.MustCompile(nameRegex.ValueString()) // regexValidator has seen it before.
	var selected []cloud.AgentPool
	for _, pool := range pools {
		if name.MatchString(pool.Name) && (status.IsNull() || pool.Status == status.ValueString()) {
			selected = append(selected, pool)
		}
	}
	slices.SortFunc(selected, func(a, b cloud.AgentPool) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return selected
}

// nearNames offers what may have been meant.
func nearNames(pools []cloud.AgentPool, wanted string) string {
	if len(pools) == 0 {
		return "It has no agent pools at all."
	}
	type candidate struct {
		pool  cloud.AgentPool
		score float64
	}
	wanted = strings.ToLower(wanted)
	var candidates []candidate
	for _, pool := range pools {
		name := strings.ToLower(pool.Name)
		score := max(levenshtein.Similarity(wanted, name, nil), levenshtein.Similarity(wanted, pool.ID, nil))
		if strings.Contains(name, wanted) || strings.Contains(wanted, name) {
			score = max(score, nearness)
		}
		if score >= nearness {
			candidates = append(candidates, candidate{pool, score})
		}
	}
	if len(candidates) == 0 {
		return fmt.Sprintf("None of its %d agent pools has a similar name.", len(pools))
	}
	slices.SortFunc(candidates, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), strings.Compare(a.pool.Name, b.pool.Name))
	})
	var names []string
	for _, near := range candidates[:min(len(candidates), maxNearNames)] {
		names = append(names, fmt.Sprintf("%q (%s)", near.pool.Name, near.pool.ID))
	}
	return "Similar: " + strings.Join(names, ", ") + "."
}
