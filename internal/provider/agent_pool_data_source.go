package provider

import (
	"context"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-validators/datasourcevalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

type agentPoolDataSource struct{ dataSourceWithProviderData }

type agentPoolDataSourceModel struct {
	agentPoolDataModel

	Organization types.String     `tfsdk:"organization"`
	Agents       []agentDataModel `tfsdk:"agents"`
}

type agentDataModel struct {
	Hostname   types.String `tfsdk:"hostname"`
	IP         types.String `tfsdk:"ip"`
	PID        types.String `tfsdk:"pid"`
	Platform   types.String `tfsdk:"platform"`
	Version    types.String `tfsdk:"version"`
	Status     types.String `tfsdk:"status"`
	LastSeenAt types.String `tfsdk:"last_seen_at"`
}

var (
	_ datasource.DataSourceWithConfigure        = &agentPoolDataSource{}
	_ datasource.DataSourceWithConfigValidators = &agentPoolDataSource{}
)

func newAgentPoolDataSource() datasource.DataSource { return &agentPoolDataSource{} }

func (d *agentPoolDataSource) Metadata(
	_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_agent_pool"
}

func (d *agentPoolDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	attributes := agentPoolDataAttributes()
	maps.Copy(attributes, map[string]schema.Attribute{
		"organization": organizationDataSourceAttribute(),
		"id": schema.StringAttribute{
			MarkdownDescription: "ID of the agent pool, a UUID. Exactly one of `id` or `name` must be set.",
			Optional:            true,
			Computed:            true,
			Validators:          []validator.String{notEmpty()},
		},
		"name": schema.StringAttribute{
			MarkdownDescription: "Name of the agent pool. Exactly one of `id` or `name` must be set.",
			Optional:            true,
			Computed:            true,
			Validators:          []validator.String{notEmpty()},
		},
		"agents": schema.ListNestedAttribute{
			MarkdownDescription: "Runners of the agent pool, in the order in which Pulumi Cloud returns them. A runner that went " +
				"offline is listed for another hour or two.",
			Computed: true,
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"hostname": computedString("Hostname of the machine."),
				"ip":       computedString("IP address of the machine."),
				"pid":      computedString("Process ID of the runner."),
				"platform": computedString("Operating system and architecture. Null if the runner does not report it."),
				"version":  computedString("Version of the runner."),
				"status":   computedString("`online` or `offline`."),
				"last_seen_at": computedString(
					"Time of the latest heartbeat, in RFC 3339 format and UTC. Null if there was none."),
			}},
		},
	})
	resp.Schema = schema.Schema{
		MarkdownDescription: "Reads an agent pool, by ID or by name, and its runners.",
		Attributes:          attributes,
	}
}

func (d *agentPoolDataSource) ConfigValidators(context.Context) []datasource.ConfigValidator {
	return []datasource.ConfigValidator{datasourcevalidator.ExactlyOneOf(path.MatchRoot("id"), path.MatchRoot("name"))}
}

// Read implements [datasource.DataSource]. The list has status and times, the detail has the runners.
func (d *agentPoolDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model agentPoolDataSourceModel
	defer d.data.appendWarnings(&resp.Diagnostics)
	resp.Diagnostics.Append(d.data.decodeInOrganization(ctx, req.Config, &model, &model.Organization)...)
	if resp.Diagnostics.HasError() {
		return
	}
	organization := model.Organization.ValueString()
	find, key := d.data.findByName, model.Name.ValueString()
	if !model.ID.IsNull() {
		find, key = d.data.findByID, model.ID.ValueString()
	}
	pool, diags := find(ctx, organization, key)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	_, agents, err := d.data.client.GetAgentPool(ctx, organization, pool.ID)
	if err != nil {
		resp.Diagnostics.Append(d.data.errorDiagnostic(readContext(organization, "read agent pool "+pool.ID), err))
		return
	}
	model.agentPoolDataModel = newAgentPoolDataModel(pool)
	model.Agents = make([]agentDataModel, 0, len(agents))
	for _, agent := range agents {
		model.Agents = append(model.Agents, newAgentDataModel(agent))
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}

func newAgentDataModel(agent pulumiapi.Agent) agentDataModel {
	model := agentDataModel{
		Hostname:   types.StringValue(agent.Hostname),
		IP:         types.StringValue(agent.IP),
		PID:        types.StringValue(agent.PID),
		Version:    types.StringValue(agent.Version),
		Status:     types.StringValue(agent.Status),
		LastSeenAt: rfc3339(agent.LastSeenAt),
	}
	if agent.Platform != "" {
		model.Platform = types.StringValue(agent.Platform)
	}
	return model
}
