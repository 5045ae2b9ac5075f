package provider

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	dsschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// agentPoolModel is the resource in configuration, plan and state.
type agentPoolModel struct {
	agentPoolIdentity

	Name            types.String `tfsdk:"name"`
	NamePrefix      types.String `tfsdk:"name_prefix"`
	Description     types.String `tfsdk:"description"`
	ForceDestroy    types.Bool   `tfsdk:"force_destroy"`
	DrainTimeout    types.String `tfsdk:"drain_timeout"`
	StoreToken      types.Bool   `tfsdk:"store_token"`
	RotateTriggers  types.Map    `tfsdk:"rotate_triggers"`
	TokenRecipients types.Set    `tfsdk:"token_recipients"`
	Token           types.String `tfsdk:"token"`
	EncryptedToken  types.String `tfsdk:"encrypted_token"`
}

// agentPoolIdentity identifies an agent pool.
type agentPoolIdentity struct {
	Organization types.String `tfsdk:"organization"`
	ID           types.String `tfsdk:"id"`
}

func agentPoolIdentitySchema() identityschema.Schema {
	return identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"organization": identityschema.StringAttribute{
			Description:       "Name of the organization. Defaults to the provider's organization.",
			OptionalForImport: true,
		},
		"id": identityschema.StringAttribute{Description: "ID of the agent pool, a UUID.", RequiredForImport: true},
	}}
}

// newAgentPoolModel returns the model of an agent pool that this provider did not create.
func newAgentPoolModel(organization string, pool pulumiapi.AgentPool) agentPoolModel {
	return agentPoolModel{
		agentPoolIdentity: agentPoolIdentity{types.StringValue(organization), types.StringValue(pool.ID)},
		Name:              types.StringValue(pool.Name),
		Description:       types.StringValue(pool.Description),
		ForceDestroy:      types.BoolValue(false),
		StoreToken:        types.BoolValue(true),
		RotateTriggers:    types.MapNull(types.StringType),
		TokenRecipients:   types.SetNull(types.StringType),
	}
}

// String returns the agent pool as diagnostics name it.
func (m *agentPoolModel) String() string {
	return fmt.Sprintf("agent pool %q (%s)", m.Name.ValueString(), m.ID.ValueString())
}

// hasToken reports whether the model has the token of the agent pool, encrypted or not.
func (m *agentPoolModel) hasToken() bool { return !m.Token.IsNull() || !m.EncryptedToken.IsNull() }

// lacksToken reports whether the model has no token although it would store one.
func (m *agentPoolModel) lacksToken() bool { return m.StoreToken.ValueBool() && !m.hasToken() }

// suffixLength is the length of the random part of a generated name, in base 32: 60 bits.
const suffixLength = 12

// generateName generates a unique name if the plan has none.
func (m *agentPoolModel) generateName() {
	if m.Name.IsUnknown() {
		m.Name = types.StringValue(m.NamePrefix.ValueString() + strings.ToLower(rand.Text()[:suffixLength]))
	}
}

// setToken stores the token of a new agent pool, encrypted if it has recipients, or discards it.
func (m *agentPoolModel) setToken(token string) diag.Diagnostics {
	m.Token, m.EncryptedToken = types.StringNull(), types.StringNull()
	if !m.StoreToken.ValueBool() {
		return nil
	}
	if m.TokenRecipients.IsNull() {
		m.Token = types.StringValue(token)
		return nil
	}
	recipients, _, err := parseRecipients(m.TokenRecipients)
	if err == nil {
		token, err = encryptToken(token, recipients)
	}
	if err != nil {
		return diag.Diagnostics{diag.NewErrorDiagnostic("Error encrypting agent pool token",
			fmt.Sprintf("The %s was created, but its token could not be encrypted to token_recipients and was discarded. The agent "+
				"pool is in the state and marked as tainted. Correct token_recipients and apply again to replace it.\n\nCause: %s", m, err))}
	}
	m.EncryptedToken = types.StringValue(token)
	return nil
}

// rfc3339 returns a time in UTC, null for the zero time.
func rfc3339(t time.Time) types.String {
	if t.IsZero() {
		return types.StringNull()
	}
	return types.StringValue(t.UTC().Format(time.RFC3339))
}

// agentPoolDataModel is an agent pool in data sources.
type agentPoolDataModel struct {
	ID               types.String `tfsdk:"id"`
	Name             types.String `tfsdk:"name"`
	Description      types.String `tfsdk:"description"`
	Status           types.String `tfsdk:"status"`
	IsDefault        types.Bool   `tfsdk:"is_default"`
	CreatedAt        types.String `tfsdk:"created_at"`
	LastSeenAt       types.String `tfsdk:"last_seen_at"`
	LastDeploymentAt types.String `tfsdk:"last_deployment_at"`
}

func newAgentPoolDataModel(pool pulumiapi.AgentPool) agentPoolDataModel {
	return agentPoolDataModel{
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

// agentPoolDataAttributes returns the attributes of agentPoolDataModel, all computed.
func agentPoolDataAttributes() map[string]dsschema.Attribute {
	return map[string]dsschema.Attribute{
		"id":          computedString("ID of the agent pool, a UUID."),
		"name":        computedString("Name of the agent pool."),
		"description": computedString("Description of the agent pool. Empty if it has none."),
		"status":      computedString("`online` while at least one runner of the agent pool is online, otherwise `offline`."),
		"is_default": dsschema.BoolAttribute{
			MarkdownDescription: "Whether this is the default agent pool of the organization.",
			Computed:            true,
		},
		"created_at":   computedString("Creation time, in RFC 3339 format and UTC."),
		"last_seen_at": computedString("Time of the latest heartbeat of a runner, in RFC 3339 format and UTC. Null if there was none."),
		"last_deployment_at": computedString(
			"Time of the latest deployment on a runner, in RFC 3339 format and UTC. Null if there was none."),
	}
}

func computedString(description string) dsschema.StringAttribute {
	return dsschema.StringAttribute{MarkdownDescription: description, Computed: true}
}
