// Command empty is a provider of one resource that does nothing: what the framework itself weighs, and takes to start.
package main

import (
	"context"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

func main() {
	err := providerserver.Serve(context.Background(), newProvider, providerserver.ServeOpts{
		Address:         "registry.terraform.io/pulumicloud/empty",
		ProtocolVersion: 6,
	})
	if err != nil {
		hclog.Default().Error("the provider stopped", "error", err)
		os.Exit(1)
	}
}

type emptyProvider struct{}

func newProvider() provider.Provider { return emptyProvider{} }

func (emptyProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "empty"
}

func (emptyProvider) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

func (emptyProvider) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {
}

func (emptyProvider) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (emptyProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return emptyResource{} }}
}

type emptyResource struct{}

func (emptyResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "empty_resource"
}

func (emptyResource) Schema(context.Context, resource.SchemaRequest, *resource.SchemaResponse) {}

func (emptyResource) Create(context.Context, resource.CreateRequest, *resource.CreateResponse) {}

func (emptyResource) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (emptyResource) Update(context.Context, resource.UpdateRequest, *resource.UpdateResponse) {}

func (emptyResource) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}
