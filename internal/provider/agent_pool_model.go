package provider

import (
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// agentPoolModel is the resource as configuration, plan and state hold it.
type agentPoolModel struct {
	Organization types.String `tfsdk:"organization"`
	ID           types.String `tfsdk:"id"`
	Name         types.String `tfsdk:"name"`
	Description  types.String `tfsdk:"description"`
	ForceDestroy types.Bool   `tfsdk:"force_destroy"`
	Token        types.String `tfsdk:"token"`
}

// agentPoolIdentity is what tells a pool from all others.
type agentPoolIdentity struct {
	Organization types.String `tfsdk:"organization"`
	ID           types.String `tfsdk:"id"`
}

func (m agentPoolModel) identity() agentPoolIdentity {
	return agentPoolIdentity{Organization: m.Organization, ID: m.ID}
}

// refresh takes over what the API says of the pool. It never says the token.
func (m *agentPoolModel) refresh(pool cloud.AgentPool) {
	m.ID = types.StringValue(pool.ID)
	m.Name = types.StringValue(pool.Name)
	m.Description = types.StringValue(pool.Description)
}

// changes is what it takes to make the pool in the state the one in the plan.
func (m agentPoolModel) changes(state agentPoolModel) cloud.AgentPoolUpdate {
	var update cloud.AgentPoolUpdate
	if !m.Name.Equal(state.Name) {
		update.Name = m.Name.ValueStringPointer()
	}
	if !m.Description.Equal(state.Description) {
		update.Description = m.Description.ValueStringPointer()
	}
	return update
}

// rfc3339 is a point in time in UTC, null for never.
func rfc3339(t time.Time) types.String {
	if t.IsZero() {
		return types.StringNull()
	}
	return types.StringValue(t.UTC().Format(time.RFC3339))
}
