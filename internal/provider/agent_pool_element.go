package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// agentPoolElement is one pool as the list shows it.
type agentPoolElement struct {
	ID               types.String `tfsdk:"id"`
	Name             types.String `tfsdk:"name"`
	Description      types.String `tfsdk:"description"`
	Status           types.String `tfsdk:"status"`
	IsDefault        types.Bool   `tfsdk:"is_default"`
	CreatedAt        types.String `tfsdk:"created_at"`
	LastSeenAt       types.String `tfsdk:"last_seen_at"`
	LastDeploymentAt types.String `tfsdk:"last_deployment_at"`
}

func newAgentPoolElement(pool cloud.AgentPool) agentPoolElement {
	return agentPoolElement{
		ID:               types.StringValue(pool.ID),
		Name:             types.StringValue(pool.Name),
		Description:      types.StringValue(pool.Description),
		Status:           types.StringValue(pool.Status),
		IsDefault:        types.BoolValue(pool.IsDefault),
		CreatedAt:        rfc3339(pool.CreatedAt),
		LastSeenAt:       rfc3339(pool.LastSeenAt),
		LastDeploymentAt: rfc3339(pool.LastDeploymentAt),
	}
}

const (
	nameRegexDescription = "Only pools whose name has a match of this regular expression " +
		"([RE2](https://github.com/google/re2/wiki/Syntax)); `^` and `$` tie it to the whole name."
	statusDescription = "Only pools with this status: `online` or `offline`."
)

// addAgentPoolAttributes adds what both data sources say of a pool.
func addAgentPoolAttributes(attributes map[string]schema.Attribute) {
	for name, description := range map[string]string{
		"description":        "What the pool is for; empty if nothing says.",
		"status":             "`online` while at least one runner of the pool is, else `offline`.",
		"created_at":         "When the pool was created, in RFC 3339 form and UTC.",
		"last_seen_at":       "When one of its runners was last heard of, in RFC 3339 form and UTC. Null for never.",
		"last_deployment_at": "When one of its runners last ran a deployment, in RFC 3339 form and UTC. Null for never.",
	} {
		attributes[name] = schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	attributes["is_default"] = schema.BoolAttribute{
		MarkdownDescription: "Whether it is the organization's default pool.",
		Computed:            true,
	}
}
