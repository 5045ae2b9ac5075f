package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// organizationDefaultAgentPoolResource is a setting of an organization, which exists once.
type organizationDefaultAgentPoolResource struct{ poolAssignmentResource }

type defaultAgentPoolModel struct {
	defaultAgentPoolIdentity

	AgentPoolID types.String `tfsdk:"agent_pool_id"`
}

// defaultAgentPoolIdentity has no agent pool ID, because that changes in place.
type defaultAgentPoolIdentity struct {
	Organization types.String `tfsdk:"organization"`
}

// String returns the setting as diagnostics name it.
func (m *defaultAgentPoolModel) String() string {
	return fmt.Sprintf("default agent pool of organization %q", m.Organization.ValueString())
}

func (m *defaultAgentPoolModel) fields() (organization, poolID *types.String) {
	return &m.Organization, &m.AgentPoolID
}

func (m *defaultAgentPoolModel) key() string { return strings.ToLower(m.Organization.ValueString()) }

func (m *defaultAgentPoolModel) identity() any { return m.defaultAgentPoolIdentity }

// fromImport accepts the name of the organization as the import ID.
func (m *defaultAgentPoolModel) fromImport(ctx context.Context, req resource.ImportStateRequest) (diags diag.Diagnostics) {
	m.Organization = types.StringValue(req.ID)
	if isImportByIdentity(req) {
		diags = req.Identity.Get(ctx, &m.defaultAgentPoolIdentity)
	}
	if name := m.Organization.ValueString(); !isPathName(name) {
		diags.Append(invalidImportID(name, "a default agent pool. Use the name of the organization."))
	}
	return diags
}

// read does not trust a shared list without a default: a different provider block may have just set it.
func (m *defaultAgentPoolModel) read(ctx context.Context, client *pulumiapi.Client) (string, error) {
	list, err := client.AgentPools(ctx, m.Organization.ValueString())
	if err == nil && list.DefaultID == "" {
		list, err = client.RefreshAgentPools(ctx, m.Organization.ValueString())
	}
	if err != nil {
		return "", err
	}
	return list.DefaultID, nil
}

func (m *defaultAgentPoolModel) assign(ctx context.Context, client *pulumiapi.Client) error {
	return client.SetDefaultAgentPool(ctx, m.Organization.ValueString(), m.AgentPoolID.ValueString())
}

func (m *defaultAgentPoolModel) clear(ctx context.Context, client *pulumiapi.Client) error {
	return client.ClearDefaultAgentPool(ctx, m.Organization.ValueString(), m.AgentPoolID.ValueString())
}

func (m *defaultAgentPoolModel) errorContext(verb string) errorContext {
	permission := "organization:update"
	if verb == "read" {
		permission = "agent_pool:read"
	}
	return errorContext{action: verb + " the " + m.String(), organization: m.Organization.ValueString(), permission: permission}
}

var (
	_ resource.ResourceWithConfigure   = &organizationDefaultAgentPoolResource{}
	_ resource.ResourceWithIdentity    = &organizationDefaultAgentPoolResource{}
	_ resource.ResourceWithImportState = &organizationDefaultAgentPoolResource{}
	_ resource.ResourceWithModifyPlan  = &organizationDefaultAgentPoolResource{}
)

func newOrganizationDefaultAgentPoolResource() resource.Resource {
	return &organizationDefaultAgentPoolResource{
		poolAssignmentResource{newModel: func() poolAssignment { return &defaultAgentPoolModel{} }},
	}
}

func (r *organizationDefaultAgentPoolResource) Metadata(
	_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_organization_default_agent_pool"
}

func (r *organizationDefaultAgentPoolResource) Schema(
	_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse,
) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Manages the default agent pool of an organization. Stacks whose deployment settings do not select an " +
			"agent pool use it, and so do Discovery scans and policy evaluations. An organization has one default agent pool, so " +
			"manage it in one place. Destroying this resource makes the Pulumi-hosted pool the default again, unless a different " +
			"agent pool is the default by then.",
		Attributes: map[string]schema.Attribute{
			"organization":  organizationResourceAttribute(),
			"agent_pool_id": assignedPoolAttribute(),
		},
	}
}

func (r *organizationDefaultAgentPoolResource) IdentitySchema(
	_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = identityschema.Schema{
		Attributes: map[string]identityschema.Attribute{
			"organization": identityschema.StringAttribute{
				Description:       "Name of the organization.",
				RequiredForImport: true,
			},
		},
	}
}
