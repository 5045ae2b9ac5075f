package provider

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// providerData is passed by Configure to resources and data sources.
type providerData struct {
	// client is nil if there is a problem.
	client *pulumiapi.Client
	// problem is the error if no requests can be made: the configuration is not known yet, invalid, or has no access token.
	problem diag.Diagnostics
	// unknown reports whether arguments of the provider block are known only after apply.
	unknown bool

	// credentials say where the URL and the access token were found, for diagnostics.
	credentials credentials.Credentials
	now         func() time.Time

	// organization is the argument of the provider block.
	organization types.String
	// defaultOrganization is the one of the provider block, the environment or the Pulumi CLI's files, and its source.
	// Both are empty if there is none.
	defaultOrganization struct {
		name, source string
		err          error
	}

	// wrote reports whether this process has begun a write. Plans that read the list hold the lock.
	wrote     bool
	wroteLock sync.RWMutex
	// managed has the IDs, in lowercase, of the agent pools in the state, as far as they were refreshed or planned.
	managed sync.Map
	// targets has an *assignmentTarget for each stack and organization whose agent pool this process has set or cleared.
	targets sync.Map
}

// withProviderData receives the provider data in Configure. It is embedded in resources.
type withProviderData struct{ data *providerData }

func (r *withProviderData) Configure(_ context.Context, req resource.ConfigureRequest, _ *resource.ConfigureResponse) {
	r.data = providerDataFrom(req.ProviderData)
}

// dataSourceWithProviderData is withProviderData for data sources.
type dataSourceWithProviderData struct{ data *providerData }

func (d *dataSourceWithProviderData) Configure(
	_ context.Context, req datasource.ConfigureRequest, _ *datasource.ConfigureResponse,
) {
	d.data = providerDataFrom(req.ProviderData)
}

// providerDataFrom returns the data that Configure of the provider passed, or the error for a call before it.
func providerDataFrom(value any) *providerData {
	if data, ok := value.(*providerData); ok {
		return data
	}
	return &providerData{problem: diag.Diagnostics{diag.NewErrorDiagnostic("Provider not configured",
		"The provider has not been configured. This is a bug in Terraform or in the provider. Please report it.")}}
}

// getter is a configuration, a plan or a state.
type getter interface {
	Get(ctx context.Context, target any) diag.Diagnostics
}

// decode reads a configuration, plan or state into a model, and returns an error if no requests can be made.
func (d *providerData) decode(ctx context.Context, from getter, model any) diag.Diagnostics {
	return append(from.Get(ctx, model), d.problem...)
}

// decodeInOrganization is decode for a model with an organization, which it resolves.
func (d *providerData) decodeInOrganization(
	ctx context.Context, from getter, model any, organization *types.String,
) diag.Diagnostics {
	diags := d.decode(ctx, from, model)
	if diags.HasError() {
		return diags
	}
	return append(diags, d.resolveOrganization(ctx, organization)...)
}

// appendWarnings appends the warnings that Pulumi Cloud sent. Methods that make requests defer it.
func (d *providerData) appendWarnings(diags *diag.Diagnostics) {
	if d.client == nil {
		return
	}
	for _, text := range d.client.Warnings() {
		diags.AddWarning("Warning from Pulumi Cloud", text)
	}
}

// refreshProblem returns a warning if the configuration is not known yet, and an error if it is invalid. Without
// diagnostics the object can be read.
func (d *providerData) refreshProblem(object fmt.Stringer) diag.Diagnostics {
	if !d.unknown {
		return d.problem
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic(d.problem[0].Summary(),
		fmt.Sprintf("The %s was not refreshed. %s", object, d.problem[0].Detail()))}
}
