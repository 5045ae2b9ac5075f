package provider

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

const defaultReadinessTimeout = 10 * time.Minute

// agentPoolReadinessResource waits in Create. It exists only in the state.
type agentPoolReadinessResource struct{ withPoolReference }

type agentPoolReadinessModel struct {
	Organization types.String `tfsdk:"organization"`
	AgentPoolID  types.String `tfsdk:"agent_pool_id"`
	MinRunners   types.Int64  `tfsdk:"min_runners"`
	Triggers     types.Map    `tfsdk:"triggers"`
	Timeouts     types.Object `tfsdk:"timeouts"`
}

func (m agentPoolReadinessModel) identity() agentPoolIdentity {
	return agentPoolIdentity{Organization: m.Organization, ID: m.AgentPoolID}
}

var (
	_ resource.ResourceWithConfigure  = &agentPoolReadinessResource{}
	_ resource.ResourceWithIdentity   = &agentPoolReadinessResource{}
	_ resource.ResourceWithModifyPlan = &agentPoolReadinessResource{}
)

func newAgentPoolReadinessResource() resource.Resource { return &agentPoolReadinessResource{} }

func (r *agentPoolReadinessResource) Metadata(
	_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_agent_pool_readiness"
}

func (r *agentPoolReadinessResource) Schema(
	_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse,
) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Waits until runners of an agent pool are online. Resources that use its `agent_pool_id` change only " +
			"after that. It waits when it is created or replaced. A refresh sends no request, and a destroy only removes it from the " +
			"state.",
		Attributes: map[string]schema.Attribute{
			"organization": organizationResourceAttribute(),
			"agent_pool_id": schema.StringAttribute{
				MarkdownDescription: "ID of the agent pool. Changing this forces a new resource.",
				Required:            true,
				Validators:          []validator.String{validPoolID()},
				PlanModifiers:       []planmodifier.String{ignoreCase{"ignores case"}, stringplanmodifier.RequiresReplace()},
			},
			"min_runners": schema.Int64Attribute{
				MarkdownDescription: "Minimum number of runners that must be online. Defaults to `1`. A change applies the next time " +
					"that this resource is created.",
				Optional:   true,
				Computed:   true,
				Default:    int64default.StaticInt64(1),
				Validators: []validator.Int64{int64validator.Between(1, 1000)},
			},
			"triggers": schema.MapAttribute{
				MarkdownDescription: "Arbitrary key-value pairs that, when changed, replace this resource and so wait again.",
				ElementType:         types.StringType,
				Optional:            true,
				PlanModifiers:       []planmodifier.Map{mapplanmodifier.RequiresReplace()},
			},
			"timeouts": schema.SingleNestedAttribute{
				MarkdownDescription: "Timeouts of operations.",
				Optional:            true,
				Attributes: map[string]schema.Attribute{
					"create": schema.StringAttribute{
						MarkdownDescription: "Maximum time to wait, as a duration such as `5m`. Defaults to `10m`.",
						Optional:            true,
						Validators:          []validator.String{positiveDuration()},
					},
				},
			},
		},
	}
}

func (r *agentPoolReadinessResource) IdentitySchema(
	_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse,
) {
	resp.IdentitySchema = agentPoolIdentitySchema()
}

func (r *agentPoolReadinessResource) Create(
	ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse,
) {
	var plan agentPoolReadinessModel
	defer r.data.appendWarnings(&resp.Diagnostics)
	resp.Diagnostics.Append(r.data.decodeInOrganization(ctx, req.Plan, &plan, &plan.Organization)...)
	var create types.String
	resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, path.Root("timeouts").AtName("create"), &create)...)
	timeout := durationOr(create, defaultReadinessTimeout)
	if resp.Diagnostics.HasError() {
		return
	}
	organization, id, required := plan.Organization.ValueString(), plan.AgentPoolID.ValueString(), int(plan.MinRunners.ValueInt64())
	var agents []pulumiapi.Agent
	online := 0
	err := r.data.client.Poll(ctx, timeout, func() (bool, error) {
		var err error
		_, agents, err = r.data.client.GetAgentPool(ctx, organization, id)
		online = 0
		for _, agent := range agents {
			if agent.Status == "online" {
				online++
			}
		}
		return online >= required, err
	})
	switch {
	case err != nil:
		op := readContext(organization, "wait for runners of agent pool "+id)
		resp.Diagnostics.Append(r.data.errorDiagnostic(op, err))
		return
	case online < required:
		resp.Diagnostics.AddError("Runners not online", fmt.Sprintf("%d of %d runners online in agent pool %s of organization %q "+
			"after %s. Check that the runners start and have the token of this agent pool, or set a longer timeouts.create.%s",
			online, required, id, organization, timeout, describeAgents(agents)))
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, plan.identity())...)
}

// describeAgents returns a line for each agent.
func describeAgents(agents []pulumiapi.Agent) string {
	var lines strings.Builder
	for _, agent := range agents {
		seen := "never seen"
		if !agent.LastSeenAt.IsZero() {
			seen = "last seen " + agent.LastSeenAt.Format(time.RFC3339)
		}
		fmt.Fprintf(&lines, "\n- %q, process %q: %q, %s", agent.Hostname, agent.PID, agent.Status, seen)
	}
	return lines.String()
}

// Read implements [resource.Resource]. Nothing is read: runners that go offline later do not undo the wait.
func (r *agentPoolReadinessResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state agentPoolReadinessModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, state.identity())...)
}

func (r *agentPoolReadinessResource) Update(
	ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse,
) {
	var plan agentPoolReadinessModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(resp.Identity.Set(ctx, plan.identity())...)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

func (r *agentPoolReadinessResource) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {
}
