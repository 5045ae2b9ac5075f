package provider

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// agentPoolModel is the resource as configuration, plan and state hold it.
type agentPoolModel struct {
	Organization    types.String `tfsdk:"organization"`
	ID              types.String `tfsdk:"id"`
	Name            types.String `tfsdk:"name"`
	NamePrefix      types.String `tfsdk:"name_prefix"`
	Description     types.String `tfsdk:"description"`
	ForceDestroy    types.Bool   `tfsdk:"force_destroy"`
	RotateTriggers  types.Map    `tfsdk:"rotate_triggers"`
	TokenRecipients types.Set    `tfsdk:"token_recipients"`
	Token           types.String `tfsdk:"token"`
	EncryptedToken  types.String `tfsdk:"encrypted_token"`
}

// newAgentPoolModel is a pool that nobody created with this provider, as an import finds it.
func newAgentPoolModel(organization string, pool cloud.AgentPool) agentPoolModel {
	model := agentPoolModel{
		Organization:    types.StringValue(organization),
		ForceDestroy:    types.BoolValue(false),
		RotateTriggers:  types.MapNull(types.StringType),
		TokenRecipients: types.SetNull(types.StringType),
	}
	model.refresh(pool)
	return model
}

// agentPoolIdentity is what tells a pool from all others.
type agentPoolIdentity struct {
	Organization types.String `tfsdk:"organization"`
	ID           types.String `tfsdk:"id"`
}

func (m *agentPoolModel) identity() agentPoolIdentity {
	return agentPoolIdentity{Organization: m.Organization, ID: m.ID}
}

// refresh takes over what the API says of the pool. It never says the token.
func (m *agentPoolModel) refresh(pool cloud.AgentPool) {
	m.ID = types.StringValue(pool.ID)
	m.Name = types.StringValue(pool.Name)
	m.Description = types.StringValue(pool.Description)
}

// hasToken tells whether the state has the pool's token in either form.
func (m *agentPoolModel) hasToken() bool { return !m.Token.IsNull() || !m.EncryptedToken.IsNull() }

// chooseName makes a unique name where the plan has left that open.
func (m *agentPoolModel) chooseName() {
	if m.Name.IsUnknown() {
		m.Name = types.StringValue(m.NamePrefix.ValueString() + strings.ToLower(rand.Text()[:uniqueLength]))
	}
}

// uniqueLength is enough of base 32 for names that never meet: 60 bits.
const uniqueLength = 12

// changes is what it takes to make the pool in the state the one in the plan.
func (m *agentPoolModel) changes(state agentPoolModel) cloud.AgentPoolUpdate {
	var update cloud.AgentPoolUpdate
	if !m.Name.Equal(state.Name) {
		update.Name = m.Name.ValueStringPointer()
	}
	if !m.Description.Equal(state.Description) {
		update.Description = m.Description.ValueStringPointer()
	}
	return update
}

// keep puts a new pool's token where the user wants it: in the state as it is, or encrypted to the recipients alone.
func (m *agentPoolModel) keep(ctx context.Context, token string) diag.Diagnostics {
	m.Token, m.EncryptedToken = types.StringValue(token), types.StringNull()
	if m.TokenRecipients.IsNull() {
		return nil
	}
	m.Token = types.StringNull()
	var recipients []string
	diagnostics := m.TokenRecipients.ElementsAs(ctx, &recipients, false)
	if diagnostics.HasError() {
		return diagnostics
	}
	encrypted, err := encryptToken(token, recipients)
	if err != nil {
		diagnostics.AddError("Token could not be encrypted",
			fmt.Sprintf("Agent pool %q was created with the id %s, but its token could not be encrypted to token_recipients, and "+
				"without that it is not kept. The pool is in the state, marked as tainted: the next apply replaces it.\n\nCause: %s",
				m.Name.ValueString(), m.ID.ValueString(), err))
		return diagnostics
	}
	m.EncryptedToken = types.StringValue(encrypted)
	return diagnostics
}

// rfc3339 is a point in time in UTC, null for never.
func rfc3339(t time.Time) types.String {
	if t.IsZero() {
		return types.StringNull()
	}
	return types.StringValue(t.UTC().Format(time.RFC3339))
}
