package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

type agentPoolsDataSource struct {
	connection *connection
}

type agentPoolsDataSourceModel struct {
	Organization       types.String       `tfsdk:"organization"`
	NameRegex          types.String       `tfsdk:"name_regex"`
	Status             types.String       `tfsdk:"status"`
	AgentPools         []agentPoolElement `tfsdk:"agent_pools"`
	IDs                []string           `tfsdk:"ids"`
	DefaultAgentPoolID types.String       `tfsdk:"default_agent_pool_id"`
}

var _ datasource.DataSourceWithConfigure = &agentPoolsDataSource{}

func newAgentPoolsDataSource() datasource.DataSource { return &agentPoolsDataSource{} }

// Metadata implements [datasource.DataSource].
func (d *agentPoolsDataSource) Metadata(
	_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_agent_pools"
}

// Schema implements [datasource.DataSource].
func (d *agentPoolsDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := map[string]schema.Attribute{
		"id":   schema.StringAttribute{MarkdownDescription: "The pool's id, a UUID.", Computed: true},
		"name": schema.StringAttribute{MarkdownDescription: "The pool's name.", Computed: true},
	}
	addAgentPoolAttributes(attributes)
	resp.Schema = schema.Schema{
		MarkdownDescription: "The agent pools of an organization, all or those that match.",
		Attributes: map[string]schema.Attribute{
			"organization": organizationAttribute(),
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
			"agent_pools": schema.ListNestedAttribute{
				MarkdownDescription: "The pools, sorted by name.",
				Computed:            true,
				NestedObject:        schema.NestedAttributeObject{Attributes: attributes},
			},
			"ids": schema.ListAttribute{
				MarkdownDescription: "Their ids, in the same order.",
				ElementType:         types.StringType,
				Computed:            true,
			},
			"default_agent_pool_id": schema.StringAttribute{
				MarkdownDescription: "Id of the organization's default pool, whether it matches or not. Null while the default is the " +
					"Pulumi-hosted pool.",
				Computed: true,
			},
		},
	}
}

// Configure implements [datasource.DataSourceWithConfigure].
func (d *agentPoolsDataSource) Configure(
	_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse,
) {
	d.connection = connectionFrom(req.ProviderData, &resp.Diagnostics)
}

// Read implements [datasource.DataSource].
func (d *agentPoolsDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model agentPoolsDataSourceModel
	if !d.connection.load(ctx, req.Config, &model, &resp.Diagnostics) {
		return
	}
	ctx, warnings := cloud.WithWarnings(ctx)
	defer addWarnings(&resp.Diagnostics, warnings)
	organization, diagnostics := d.connection.organizationOf(ctx, model.Organization)
	resp.Diagnostics.Append(diagnostics...)
	if resp.Diagnostics.HasError() {
		return
	}
	list, err := d.connection.client.AgentPools(ctx, organization)
	if err != nil {
		addError(&resp.Diagnostics, readOperation(organization, "list the agent pools"), err)
		return
	}
	pools := selectPools(list.Pools, model.NameRegex, model.Status)

	model.Organization = types.StringValue(organization)
	model.DefaultAgentPoolID = types.StringNull()
	if list.DefaultID != "" {
		model.DefaultAgentPoolID = types.StringValue(list.DefaultID)
	}
	model.AgentPools = make([]agentPoolElement, 0, len(pools))
	model.IDs = make([]string, 0, len(pools))
	for _, pool := range pools {
		model.AgentPools = append(model.AgentPools, newAgentPoolElement(pool))
		model.IDs = append(model.IDs, pool.ID)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}
