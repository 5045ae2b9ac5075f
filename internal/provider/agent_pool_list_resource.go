package provider

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// agentPoolListResource lists agent pools for terraform query.
type agentPoolListResource struct {
	agentPoolResource
}

var _ list.ListResourceWithConfigure = &agentPoolListResource{}

func newAgentPoolListResource() list.ListResource { return &agentPoolListResource{} }

func (r *agentPoolListResource) ListResourceConfigSchema(
	_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse,
) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Lists the agent pools of an organization for `terraform query`, which requires Terraform 1.14. Save " +
			"the block in a file that ends in `.tfquery.hcl`, next to a configuration that requires the provider.",
		Attributes: map[string]schema.Attribute{
			"organization": schema.StringAttribute{
				MarkdownDescription: "Name of the organization. Defaults to the provider's organization.",
				Optional:            true,
				Validators:          []validator.String{validPathName()},
			},
			"name_regex": schema.StringAttribute{
				MarkdownDescription: nameRegexDescription,
				Optional:            true,
				Validators:          []validator.String{validRegex()},
			},
			"status": schema.StringAttribute{
				MarkdownDescription: statusDescription,
				Optional:            true,
				Validators:          []validator.String{stringvalidator.OneOf("online", "offline")},
			},
		},
	}
}

// List implements [list.ListResource]. It makes one request.
func (r *agentPoolListResource) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	var filter agentPoolFilter
	var pools []pulumiapi.AgentPool
	diags := r.data.decodeInOrganization(ctx, req.Config, &filter, &filter.Organization)
	if !diags.HasError() {
		_, pools, diags = r.data.selectPools(ctx, filter)
	}
	r.data.appendWarnings(&diags)
	stream.Results = func(yield func(list.ListResult) bool) {
		// Terraform shows only diagnostics of results.
		if len(diags) > 0 && !yield(list.ListResult{Diagnostics: diags}) {
			return
		}
		for i, pool := range pools {
			if req.Limit > 0 && int64(i) >= req.Limit || !yield(r.result(ctx, req, filter.Organization.ValueString(), pool)) {
				return
			}
		}
	}
}

func (r *agentPoolListResource) result(
	ctx context.Context, req list.ListRequest, organization string, pool pulumiapi.AgentPool,
) list.ListResult {
	result := req.NewListResult(ctx)
	result.DisplayName = displayName(pool)
	model := newAgentPoolModel(organization, pool)
	result.Diagnostics.Append(result.Identity.Set(ctx, model.agentPoolIdentity)...)
	if req.IncludeResource {
		result.Diagnostics.Append(result.Resource.Set(ctx, model)...)
	}
	return result
}

// displayName returns the name and description. Terraform prints both as they are.
func displayName(pool pulumiapi.AgentPool) string {
	name := pool.Name
	if pool.Description != "" {
		name = fmt.Sprintf("%s (%s)", pool.Name, pool.Description)
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, name)
}
