package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// agentPoolListResource finds pools for "terraform query".
type agentPoolListResource struct {
	agentPoolResource
}

type agentPoolListModel struct {
	Organization types.String `tfsdk:"organization"`
	NameRegex    types.String `tfsdk:"name_regex"`
	Status       types.String `tfsdk:"status"`
}

var _ list.ListResourceWithConfigure = &agentPoolListResource{}

func newAgentPoolListResource() list.ListResource { return &agentPoolListResource{} }

// ListResourceConfigSchema implements [list.ListResource].
func (r *agentPoolListResource) ListResourceConfigSchema(
	_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse,
) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Finds the agent pools of an organization, for `terraform query`.",
		Attributes: map[string]schema.Attribute{
			"organization": schema.StringAttribute{
				MarkdownDescription: "Organization to search. Defaults to the provider's.",
				Optional:            true,
				Validators:          []validator.String{organizationValidator{}},
			},
			"name_regex": schema.StringAttribute{
				MarkdownDescription: nameRegexDescription,
				Optional:            true,
				Validators:          []validator.String{regexValidator{}},
			},
			"status": schema.StringAttribute{
				MarkdownDescription: statusDescription,
				Optional:            true,
				Validators:          []validator.String{stringvalidator.OneOf("online", "offline")},
			},
		},
	}
}

// List implements [list.ListResource]. It is one request, whatever the number of pools.
func (r *agentPoolListResource) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	ctx, warnings := cloud.WithWarnings(ctx)
	organization, pools, diagnostics := r.find(ctx, req)
	addWarnings(&diagnostics, warnings)
	stream.Results = func(push func(list.ListResult) bool) {
		// Terraform sees only what is pushed: a diagnostic kept outside the stream would be lost.
		if len(diagnostics) > 0 && !push(list.ListResult{Diagnostics: diagnostics}) {
			return
		}
		for i, pool := range pools {
			if req.Limit > 0 && int64(i) >= req.Limit || !push(r.result(ctx, req, organization, pool)) {
				return
			}
		}
	}
}

func (r *agentPoolListResource) find(
	ctx context.Context, req list.ListRequest,
) (string, []cloud.AgentPool, diag.Diagnostics) {
	var model agentPoolListModel
	var diagnostics diag.Diagnostics
	if !r.connection.load(ctx, req.Config, &model, &diagnostics) {
		return "", nil, diagnostics
	}
	organization, more := r.connection.organizationOf(ctx, model.Organization)
	diagnostics.Append(more...)
	if diagnostics.HasError() {
		return "", nil, diagnostics
	}
	pools, err := r.connection.client.AgentPools(ctx, organization)
	if err != nil {
		addError(&diagnostics, readOperation(organization, "list the agent pools"), err)
		return "", nil, diagnostics
	}
	return organization, selectPools(pools.Pools, model.NameRegex, model.Status), diagnostics
}

func (r *agentPoolListResource) result(
	ctx context.Context, req list.ListRequest, organization string, pool cloud.AgentPool,
) list.ListResult {
	result := req.NewListResult(ctx)
	result.DisplayName = displayName(pool)
	model := newAgentPoolModel(organization, pool)
	result.Diagnostics.Append(result.Identity.Set(ctx, model.identity())...)
	if req.IncludeResource {
		result.Diagnostics.Append(result.Resource.Set(ctx, model)...)
	}
	return result
}

// displayName is how a person tells a pool from others in a list.
func displayName(pool cloud.AgentPool) string {
	if pool.Description == "" {
		return pool.Name
	}
	return fmt.Sprintf("%s (%s)", pool.Name, pool.Description)
}
