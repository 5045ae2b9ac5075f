// Package acctest supports tests that need Terraform. [Provider] plays Terraform core against a provider server in
// this process, and [Workspace] runs a real Terraform or OpenTofu.
//
// It imports neither the provider nor its API client. Callers pass the server or the executable.
package acctest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// Provider plays Terraform core against a provider server. Its methods panic if a call fails, which no call of a provider
// in the same process does, or if a value does not fit its schema.
type Provider struct {
	Server  tfprotov6.ProviderServer
	Schemas *tfprotov6.GetProviderSchemaResponse
	// OmitIdentity leaves identities out of requests, as Terraform before 1.12 does.
	OmitIdentity bool

	identities map[string]*tfprotov6.ResourceIdentitySchema
}

// NewProvider constructs a server and reads its schemas.
func NewProvider(ctx context.Context, newServer func() tfprotov6.ProviderServer) *Provider {
	server := newServer()
	return &Provider{
		Server:     server,
		Schemas:    must(server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})),
		identities: must(server.GetResourceIdentitySchemas(ctx, &tfprotov6.GetResourceIdentitySchemasRequest{})).IdentitySchemas,
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Validate validates a provider block.
func (p *Provider) Validate(ctx context.Context, config Values) Diagnostics {
	return must(p.Server.ValidateProviderConfig(ctx, &tfprotov6.ValidateProviderConfigRequest{
		Config: config.encode(p.Schemas.Provider),
	})).Diagnostics
}

// Configure validates a provider block and, if it is valid, configures the provider.
func (p *Provider) Configure(ctx context.Context, config Values) Diagnostics {
	diagnostics := p.Validate(ctx, config)
	if diagnostics.HasError() {
		return diagnostics
	}
	resp := must(p.Server.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{
		TerraformVersion: "1.14.0", Config: config.encode(p.Schemas.Provider),
	}))
	return append(diagnostics, resp.Diagnostics...)
}

// ReadDataSource validates and reads a data block. The attributes are nil after an error.
func (p *Provider) ReadDataSource(ctx context.Context, typeName string, config Values) (map[string]any, Diagnostics) {
	schema := p.Schemas.DataSourceSchemas[typeName]
	encoded := config.encode(schema)
	diagnostics := Diagnostics(must(p.Server.ValidateDataResourceConfig(ctx, &tfprotov6.ValidateDataResourceConfigRequest{
		TypeName: typeName, Config: encoded,
	})).Diagnostics)
	if diagnostics.HasError() {
		return nil, diagnostics
	}
	resp := must(p.Server.ReadDataSource(ctx, &tfprotov6.ReadDataSourceRequest{TypeName: typeName, Config: encoded}))
	diagnostics = append(diagnostics, resp.Diagnostics...)
	if diagnostics.HasError() {
		return nil, diagnostics
	}
	return Attributes(decode(schema.ValueType(), resp.State)), diagnostics
}

// Diagnostics are errors and warnings of a provider.
type Diagnostics []*tfprotov6.Diagnostic

// HasError reports whether there is an error among the diagnostics.
func (d Diagnostics) HasError() bool {
	return slices.ContainsFunc(d, func(diagnostic *tfprotov6.Diagnostic) bool {
		return diagnostic.Severity == tfprotov6.DiagnosticSeverityError
	})
}

// String returns a line for each diagnostic.
func (d Diagnostics) String() string {
	var text strings.Builder
	for _, diagnostic := range d {
		fmt.Fprintf(&text, "%s %s: %s: %s\n", diagnostic.Severity, diagnostic.Attribute, diagnostic.Summary, diagnostic.Detail)
	}
	return text.String()
}
