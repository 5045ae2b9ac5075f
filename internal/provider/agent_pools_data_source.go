package provider

import (
	"context"
	"fmt"
	"regexp"

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

// agentPoolElement is one pool as the list shows it.
type agentPoolElement struct {
	ID               types.String `tfsdk:"id"`
	Name             types.String `tfsdk:"name"`
	Description      types.String `tfsdk:"description"`
	Status           types.String `tfsdk:"status"`
	IsDefault        types.Bool   `tfsdk:"is_default"`
	CreatedAt        types.String `tfsdk:"created_at"`
	LastSeenAt       types.String `tfsdk:"last_seen_at"`
	LastDeploymentAt types.String `tfsdk:"last_deployment_at"`
}

func newAgentPoolElement(pool cloud.AgentPool) agentPoolElement {
	return agentPoolElement{
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

const (
	nameRegexDescription = "Only pools whose name has a match of this regular expression " +
		"([RE2](https://github.com/google/re2/wiki/Syntax)); `^` and `$` tie it to the whole name."
	statusDescription = "Only pools with this status: `online` or `offline`."
)

// addAgentPoolAttributes adds what both data sources say of a pool.
func addAgentPoolAttributes(attributes map[string]schema.Attribute) {
	for name, description := range map[string]string{
		"description":        "What the pool is for; empty if nothing says.",
		"status":             "`online` while at least one runner of the pool is, else `offline`.",
		"created_at":         "When the pool was created, in RFC 3339 form and UTC.",
		"last_seen_at":       "When one of its runners was last heard of, in RFC 3339 form and UTC. Null for never.",
		"last_deployment_at": "When one of its runners last ran a deployment, in RFC 3339 form and UTC. Null for never.",
	} {
		attributes[name] = schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	attributes["is_default"] = schema.BoolAttribute{
		MarkdownDescription: "Whether it is the organization's default pool.",
		Computed:            true,
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
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if !d.connection.ready() {
		resp.Diagnostics.AddError(d.connection.notReady())
	}
	if resp.Diagnostics.HasError() {
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
		addError(&resp.Diagnostics, findOperation(organization, "list the agent pools"), err)
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

// regexValidator accepts regular expressions.
type regexValidator struct{}

// Description implements [validator.Describer].
func (regexValidator) Description(context.Context) string {
	return "must be a regular expression (RE2)"
}

// MarkdownDescription implements [validator.Describer].
func (v regexValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

// ValidateString implements [validator.String].
func (v regexValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if _, err := regexp.Compile(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid regular expression",
			fmt.Sprintf("The value %s: %s.", v.Description(ctx), err))
	}
}
