package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/datasourcevalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

type agentPoolDataSource struct {
	connection *connection
}

type agentPoolDataSourceModel struct {
	agentPoolElement

	Organization types.String   `tfsdk:"organization"`
	Agents       []agentElement `tfsdk:"agents"`
}

type agentElement struct {
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

// Metadata implements [datasource.DataSource].
func (d *agentPoolDataSource) Metadata(
	_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse,
) {
	resp.TypeName = req.ProviderTypeName + "_agent_pool"
}

// Schema implements [datasource.DataSource].
func (d *agentPoolDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	agent := map[string]schema.Attribute{}
	for name, description := range map[string]string{
		"hostname":     "Name of the machine that the runner runs on.",
		"ip":           "Its IP address.",
		"pid":          "The runner's process id there.",
		"platform":     "Operating system and architecture; null if the runner does not say.",
		"version":      "The runner's version.",
		"status":       "`online` or `offline`.",
		"last_seen_at": "When the runner was last heard of, in RFC 3339 form and UTC. Null for never.",
	} {
		agent[name] = schema.StringAttribute{MarkdownDescription: description, Computed: true}
	}
	attributes := map[string]schema.Attribute{
		"organization": organizationAttribute(),
		"id": schema.StringAttribute{
			MarkdownDescription: "The pool's id, a UUID. Exactly one of `id` and `name` says which pool.",
			Optional:            true,
			Computed:            true,
			Validators:          []validator.String{nameValidator{}},
		},
		"name": schema.StringAttribute{
			MarkdownDescription: "The pool's name.",
			Optional:            true,
			Computed:            true,
			Validators:          []validator.String{nameValidator{}},
		},
		"agents": schema.ListNestedAttribute{
			MarkdownDescription: "The pool's runners, in the order in which Pulumi Cloud lists them. One that went offline stays " +
				"for an hour or two.",
			Computed:     true,
			NestedObject: schema.NestedAttributeObject{Attributes: agent},
		},
	}
	addAgentPoolAttributes(attributes)
	resp.Schema = schema.Schema{
		MarkdownDescription: "One agent pool, by id or by name, and its runners.",
		Attributes:          attributes,
	}
}

// ConfigValidators implements [datasource.DataSourceWithConfigValidators].
func (d *agentPoolDataSource) ConfigValidators(context.Context) []datasource.ConfigValidator {
	return []datasource.ConfigValidator{datasourcevalidator.ExactlyOneOf(path.MatchRoot("id"), path.MatchRoot("name"))}
}

// Configure implements [datasource.DataSourceWithConfigure].
func (d *agentPoolDataSource) Configure(
	_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse,
) {
	d.connection = connectionFrom(req.ProviderData, &resp.Diagnostics)
}

// Read implements [datasource.DataSource]. Status and times come from the list, runners from the pool's own page.
func (d *agentPoolDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var model agentPoolDataSourceModel
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

	find, key := d.connection.findByName, model.Name.ValueString()
	if !model.ID.IsNull() {
		find, key = d.connection.findByID, model.ID.ValueString()
	}
	pool, diagnostics := find(ctx, organization, key)
	resp.Diagnostics.Append(diagnostics...)
	if resp.Diagnostics.HasError() {
		return
	}
	detail, err := d.connection.client.GetAgentPool(ctx, organization, pool.ID)
	if err != nil {
		addError(&resp.Diagnostics, readOperation(organization, fmt.Sprintf("read agent pool %q (%s)", pool.Name, pool.ID)), err)
		return
	}

	model = agentPoolDataSourceModel{
		agentPoolElement: newAgentPoolElement(pool),
		Organization:     types.StringValue(organization),
		Agents:           make([]agentElement, 0, len(detail.Agents)),
	}
	for _, agent := range detail.Agents {
		model.Agents = append(model.Agents, newAgentElement(agent))
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, model)...)
}

func newAgentElement(agent cloud.Agent) agentElement {
	element := agentElement{
		Hostname:   types.StringValue(agent.Hostname),
		IP:         types.StringValue(agent.IP),
		PID:        types.StringValue(agent.PID),
		Platform:   types.StringNull(),
		Version:    types.StringValue(agent.Version),
		Status:     types.StringValue(agent.Status),
		LastSeenAt: rfc3339(agent.LastSeenAt),
	}
	if agent.Platform != "" {
		element.Platform = types.StringValue(agent.Platform)
	}
	return element
}
