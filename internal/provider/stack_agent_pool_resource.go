package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// stackAgentPoolResource is one field of the deployment settings of a stack.
type stackAgentPoolResource struct{ poolAssignmentResource }

type stackAgentPoolModel struct {
	stackAgentPoolIdentity

	AgentPoolID types.String `tfsdk:"agent_pool_id"`
}

type stackAgentPoolIdentity struct {
	Organization types.String `tfsdk:"organization"`
	Project      types.String `tfsdk:"project"`
	Stack        types.String `tfsdk:"stack"`
}

func (m *stackAgentPoolModel) fields() (organization, poolID *types.String) {
	return &m.Organization, &m.AgentPoolID
}

func (m *stackAgentPoolModel) key() string {
	return strings.ToLower(m.Organization.ValueString()) + "/" + m.Project.ValueString() + "/" + m.Stack.ValueString()
}

func (m *stackAgentPoolModel) identity() any { return m.stackAgentPoolIdentity }

func (m *stackAgentPoolModel) fromImport(ctx context.Context, req resource.ImportStateRequest) (diags diag.Diagnostics) {
	id := req.ID
	if isImportByIdentity(req) {
		diags = req.Identity.Get(ctx, &m.stackAgentPoolIdentity)
		id = m.stack().String()
	} else if parts := strings.Split(req.ID, "/"); len(parts) == 2 || len(parts) == 3 && parts[0] != "" {
		if len(parts) == 3 {
			m.Organization = types.StringValue(parts[0])
		}
		m.Project, m.Stack = types.StringValue(parts[len(parts)-2]), types.StringValue(parts[len(parts)-1])
	}
	if !isPathName(m.Project.ValueString()) || !isPathName(m.Stack.ValueString()) {
		diags.Append(invalidImportID(id, "a stack. Use ORGANIZATION/PROJECT/STACK, or PROJECT/STACK in the provider's default "+
			"organization."))
	}
	return diags
}

func (m *stackAgentPoolModel) read(ctx context.Context, client *pulumiapi.Client) (string, error) {
	return client.StackAgentPool(ctx, m.stack())
}

func (m *stackAgentPoolModel) assign(ctx context.Context, client *pulumiapi.Client) error {
	return client.SetStackAgentPool(ctx, m.stack(), m.AgentPoolID.ValueString())
}

func (m *stackAgentPoolModel) stack() pulumiapi.Stack {
	return pulumiapi.Stack{
		Organization: m.Organization.ValueString(), Project: m.Project.ValueString(), Name: m.Stack.ValueString(),
	}
}

func (m *stackAgentPoolModel) clear(ctx context.Context, client *pulumiapi.Client) error {
	return client.ClearStackAgentPool(ctx, m.stack(), m.AgentPoolID.ValueString())
}

func (m *stackAgentPoolModel) errorContext(verb string) errorContext {
	permission := "stack_deployment_settings:write"
	if verb == "read" {
		permission = "stack_deployment_settings:read"
	}
	return errorContext{
		action: verb + " the " + m.String(), organization: m.Organization.ValueString(), permission: permission,
		rejected: "If the stack runs Terraform, remove this resource, because such a stack cannot have an agent pool.",
	}
}

// String returns the assignment as diagnostics name it.
func (m *stackAgentPoolModel) String() string {
	return fmt.Sprintf("agent pool of stack %q", m.stack())
}

var (
	_ resource.ResourceWithConfigure   = &stackAgentPoolResource{}
	_ resource.ResourceWithIdentity    = &stackAgentPoolResource{}
	_ resource.ResourceWithImportState = &stackAgentPoolResource{}
	_ resource.ResourceWithModifyPlan  = &stackAgentPoolResource{}
)

func newStackAgentPoolResource() resource.Resource {
	return &stackAgentPoolResource{poolAssignmentResource{newModel: func() poolAssignment { return &stackAgentPoolModel{} }}}
}

func (r *stackAgentPoolResource) Metadata(
	_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_stack_agent_pool"
}

func (r *stackAgentPoolResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	replace := []planmodifier.String{stringplanmodifier.RequiresReplace()}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Assigns an existing stack to an agent pool, whose runners then execute its deployments. It manages " +
			"only the agent pool in the deployment settings of the stack, and leaves all other settings as they are. Destroying this " +
			"resource removes the agent pool from the settings, unless they select a different one by then.",
		Attributes: map[string]schema.Attribute{
			"organization": organizationResourceAttribute(),
			"project": schema.StringAttribute{
				MarkdownDescription: "Name of the Pulumi project. Changing this forces a new resource.",
				Required:            true,
				Validators:          []validator.String{validPathName()},
				PlanModifiers:       replace,
			},
			"stack": schema.StringAttribute{
				MarkdownDescription: "Name of the stack, without the organization and the project. Changing this forces a new resource.",
				Required:            true,
				Validators:          []validator.String{validPathName()},
				PlanModifiers:       replace,
			},
			"agent_pool_id": assignedPoolAttribute(),
		},
	}
}

func (r *stackAgentPoolResource) IdentitySchema(
	_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = identityschema.Schema{
		Attributes: map[string]identityschema.Attribute{
			"organization": identityschema.StringAttribute{
				Description:       "Name of the organization. Defaults to the provider's organization.",
				OptionalForImport: true,
			},
			"project": identityschema.StringAttribute{Description: "Name of the Pulumi project.", RequiredForImport: true},
			"stack":   identityschema.StringAttribute{Description: "Name of the stack.", RequiredForImport: true},
		},
	}
}
