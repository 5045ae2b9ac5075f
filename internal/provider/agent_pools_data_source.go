package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

const (
	nameRegexDescription = "Regular expression ([RE2 syntax](https://github.com/google/re2/wiki/Syntax)) that the name must " +
		"match. To match the whole name, use `^` and `$`."
	statusDescription = "Status that the agent pool must have: `online` or `offline`."
)

type agentPoolsDataSource struct{ dataSourceWithProviderData }

type agentPoolsDataSourceModel struct {
	agentPoolFilter

	AgentPools         []agentPoolDataModel `tfsdk:"agent_pools"`
	IDs                []string             `tfsdk:"ids"`
	DefaultAgentPoolID types.String         `tfsdk:"default_agent_pool_id"`
}

var _ datasource.DataSourceWithConfigure = &agentPoolsDataSource{}

func newAgentPoolsDataSource() datasource.DataSource { return &agentPoolsDataSource{} }

func (d *agentPoolsDataSource) Metadata(
	_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_agent_pools"
}

func (d *agentPoolsDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Lists the agent pools of an organization.",
		Attributes: map[string]schema.Attribute{
			"organization": organizationDataSourceAttribute(),
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
			"agent_pools": schema.ListNestedAttribute{
				MarkdownDescription: "Matching agent pools, sorted by name.",
				Computed:            true,
				NestedObject:        schema.NestedAttributeObject{Attributes: agentPoolDataAttributes()},
			},
			"ids": schema.ListAttribute{
				MarkdownDescription: "IDs of the matching agent pools, in the same order.",
				ElementType:         types.StringType,
				Computed:            true,
			},
			"default_agent_pool_id": schema.StringAttribute{
				MarkdownDescription: "ID of the default agent pool of the organization, whether it matches or not. Null if the default " +
					"is the Pulumi-hosted pool.",
				Computed: true,
			},
		},
	}
}

func (d *agentPoolsDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model agentPoolsDataSourceModel
	defer d.data.appendWarnings(&resp.Diagnostics)
	resp.Diagnostics.Append(d.data.decodeInOrganization(ctx, req.Config, &model, &model.Organization)...)
	if resp.Diagnostics.HasError() {
		return
	}
	list, pools, diags := d.data.selectPools(ctx, model.agentPoolFilter)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	if list.DefaultID != "" {
		model.DefaultAgentPoolID = types.StringValue(list.DefaultID)
	}
	model.AgentPools = make([]agentPoolDataModel, 0, len(pools))
	model.IDs = make([]string, 0, len(pools))
	for _, pool := range pools {
		model.AgentPools = append(model.AgentPools, newAgentPoolDataModel(pool))
		model.IDs = append(model.IDs, pool.ID)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}
