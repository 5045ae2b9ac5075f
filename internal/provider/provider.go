// Package provider is what a user of Terraform or OpenTofu writes: the provider's configuration, its resources and
// its data sources, in one file each.
package provider

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timetypes/timetypes"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// Option changes how the provider talks to Pulumi Cloud. Tests shorten its waits with it.
type Option func(*cloud.Config)

// New returns the provider's constructor. The version goes into the User-Agent.
func New(version string, options ...Option) func() provider.Provider {
	return func() provider.Provider {
		return &pulumicloudProvider{version: version, options: options}
	}
}

var (
	_ provider.ProviderWithListResources  = &pulumicloudProvider{}
	_ provider.ProviderWithValidateConfig = &pulumicloudProvider{}
)

type pulumicloudProvider struct {
	version string
	options []Option
}

type providerModel struct {
	AccessToken    types.String         `tfsdk:"access_token"`
	APIURL         types.String         `tfsdk:"api_url"`
	Organization   types.String         `tfsdk:"organization"`
	CACertFile     types.String         `tfsdk:"ca_cert_file"`
	RequestTimeout timetypes.GoDuration `tfsdk:"request_timeout"`
	MaxRetries     types.Int64          `tfsdk:"max_retries"`
	OIDC           types.Object         `tfsdk:"oidc"`
}

// Metadata implements [provider.Provider].
func (p *pulumicloudProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "pulumicloud"
	resp.Version = p.version
}

// Schema implements [provider.Provider].
func (p *pulumicloudProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Manages Pulumi Cloud's agent pools: the pools of self-hosted runners that Pulumi Deployments and " +
			"other workflows run on.",
		Attributes: map[string]schema.Attribute{
			"access_token": schema.StringAttribute{
				MarkdownDescription: "Pulumi access token. Defaults to `PULUMI_ACCESS_TOKEN`, then to the token that " +
					"`pulumi login` stored for the URL in force. Creating and changing pools takes an organization administrator's " +
					"token, or one whose role has the `agent_pool` permissions.",
				Optional:   true,
				Sensitive:  true,
				Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"api_url": schema.StringAttribute{
				MarkdownDescription: "URL of Pulumi Cloud, for a self-hosted installation. Defaults to `PULUMI_BACKEND_URL`, then to " +
					"the backend that `pulumi login` chose last, then to `" + cloud.DefaultBaseURL + "`.",
				Optional:   true,
				Validators: []validator.String{baseURLValidator{}},
			},
			"organization": schema.StringAttribute{
				MarkdownDescription: "Organization of resources and data sources that name none. Defaults to " +
					"`PULUMI_DEFAULT_ORGANIZATION`, then to what `pulumi org set-default` chose, then to the default " +
					"organization of the access token's user.",
				Optional:   true,
				Validators: []validator.String{organizationValidator{}},
			},
			"ca_cert_file": schema.StringAttribute{
				MarkdownDescription: "Path of a PEM file with certificate authorities to trust besides the system's, for a " +
					"self-hosted installation with a certificate of its own.",
				Optional:   true,
				Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"request_timeout": schema.StringAttribute{
				CustomType: timetypes.GoDurationType{},
				MarkdownDescription: "How long one attempt of a request may take, as a duration such as `30s` or `2m`. " +
					"Defaults to `60s`.",
				Optional:   true,
				Validators: []validator.String{positiveDurationValidator{}},
			},
			"max_retries": schema.Int64Attribute{
				MarkdownDescription: fmt.Sprintf("How often a request is sent again after a failure that may pass, where that is safe. "+
					"`0` means never. Defaults to `%d`.", cloud.DefaultMaxRetries),
				Optional:   true,
				Validators: []validator.Int64{int64validator.Between(0, 100)},
			},
			"oidc": oidcAttribute(),
		},
	}
}

// Configure implements [provider.Provider]. It makes no request.
func (p *pulumicloudProvider) Configure(
	ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse,
) {
	var model providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	connection := &connection{}
	resp.ResourceData = connection
	resp.DataSourceData = connection
	resp.ListResourceData = connection

	oidc, diagnostics := oidcFrom(ctx, model.OIDC)
	resp.Diagnostics.Append(diagnostics...)
	if resp.Diagnostics.HasError() {
		return
	}
	connection.unknown = model.unknown(oidc)
	if len(connection.unknown) > 0 {
		// Terraform plans with what it knows so far, and configures the provider anew before it applies.
		if req.ClientCapabilities.DeferralAllowed {
			resp.Deferred = &provider.Deferred{Reason: provider.DeferredReasonProviderConfigUnknown}
		}
		return
	}

	environment := cloud.ProcessEnvironment()
	overrides := cloud.Overrides{
		APIURL:       model.APIURL.ValueString(),
		AccessToken:  model.AccessToken.ValueString(),
		Organization: model.Organization.ValueString(),

		AccessTokenOptional: oidc != nil,
	}
	settings, err := cloud.ResolveSettings(overrides, environment)
	if err != nil {
		addSettingsError(&resp.Diagnostics, err)
		return
	}
	if cloud.PlainHTTP(settings.BaseURL) {
		resp.Diagnostics.AddAttributeWarning(path.Root("api_url"), "Access token travels in clear",
			fmt.Sprintf("%s is not encrypted: everybody on the way to it can read the access token, and the tokens of new agent "+
				"pools. Use https.", settings.BaseURL))
	}
	roots, err := rootCAs(model.CACertFile.ValueString())
	if err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("ca_cert_file"), "CA certificates can't be used", err.Error())
		return
	}
	timeout, diagnostics := model.requestTimeout()
	resp.Diagnostics.Append(diagnostics...)
	if resp.Diagnostics.HasError() {
		return
	}
	config := cloud.Config{
		BaseURL:        settings.BaseURL,
		AccessToken:    settings.AccessToken,
		UserAgent:      p.userAgent(req.TerraformVersion),
		RootCAs:        roots,
		RequestTimeout: timeout,
		MaxRetries:     cloud.DefaultMaxRetries,
		ListMaxAge:     cloud.DefaultListMaxAge,
		Logger:         httpLogger,
		Now:            time.Now,
	}
	if !model.MaxRetries.IsNull() {
		config.MaxRetries = int(model.MaxRetries.ValueInt64())
	}
	for _, option := range p.options {
		option(&config)
	}
	connection.now = config.Now
	connection.organizationUnknown = model.Organization.IsUnknown()
	connection.chosenOrganization = sync.OnceValues(func() (string, error) {
		return cloud.ResolveOrganization(overrides, environment, settings.BaseURL)
	})
	if oidc != nil {
		resp.Diagnostics.Append(connection.exchangeTokens(*oidc, environment, &config)...)
	}
	connection.client = cloud.New(config)
}

// ValidateConfig implements [provider.ProviderWithValidateConfig].
func (p *pulumicloudProvider) ValidateConfig(
	ctx context.Context, req provider.ValidateConfigRequest, resp *provider.ValidateConfigResponse,
) {
	var model providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	oidc, diagnostics := oidcFrom(ctx, model.OIDC)
	resp.Diagnostics.Append(diagnostics...)
	if oidc != nil {
		resp.Diagnostics.Append(oidc.validate()...)
	}
}

// unknown names the attributes without whose values no request can be made.
func (m providerModel) unknown(oidc *oidcModel) []string {
	var names []string
	for _, attribute := range []struct {
		name  string
		value attr.Value
	}{
		{"access_token", m.AccessToken},
		{"api_url", m.APIURL},
		{"ca_cert_file", m.CACertFile},
		{"request_timeout", m.RequestTimeout},
		{"max_retries", m.MaxRetries},
	} {
		if attribute.value.IsUnknown() {
			names = append(names, attribute.name)
		}
	}
	// The organization is also whom the ID token is for.
	if m.OIDC.IsUnknown() || oidc != nil && (oidc.unknown() || m.Organization.IsUnknown()) {
		names = append(names, "oidc")
	}
	return names
}

func (m providerModel) requestTimeout() (time.Duration, diag.Diagnostics) {
	if m.RequestTimeout.IsNull() {
		return cloud.DefaultRequestTimeout, nil
	}
	return m.RequestTimeout.ValueGoDuration()
}

func (p *pulumicloudProvider) userAgent(terraformVersion string) string {
	return fmt.Sprintf("terraform-provider-pulumicloud/%s (+https://registry.terraform.io/providers/pulumicloud/pulumicloud) "+
		"Terraform/%s", p.version, terraformVersion)
}

// rootCAs returns the system's certificate authorities and those in the file, or nil if no file is given.
func rootCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the file can't be read: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the system's certificate authorities can't be read: %w", err)
	}
	if !roots.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form (\"-----BEGIN CERTIFICATE-----\")", file)
	}
	return roots, nil
}

// addSettingsError attaches an error to the attribute that mends it.
func addSettingsError(diagnostics *diag.Diagnostics, err error) {
	var (
		missingToken *cloud.MissingTokenError
		invalidToken *cloud.InvalidTokenError
		encrypted    *cloud.EncryptedCredentialsError
		credentials  *cloud.CredentialsFileError
		configFile   *cloud.ConfigFileError
		invalidURL   *cloud.InvalidURLError
		diy          *cloud.DIYBackendError
	)
	var attribute, title string
	switch {
	case errors.As(err, &missingToken):
		attribute, title = "access_token", "No access token"
	case errors.As(err, &invalidToken):
		attribute, title = "access_token", "Invalid access token"
	case errors.As(err, &encrypted):
		attribute, title = "access_token", "Credentials file is encrypted"
	case errors.As(err, &credentials):
		attribute, title = "access_token", "Credentials file can't be used"
	case errors.As(err, &configFile):
		attribute, title = "organization", "Pulumi configuration file can't be used"
	case errors.As(err, &invalidURL):
		attribute, title = "api_url", "Invalid URL of Pulumi Cloud"
	case errors.As(err, &diy):
		attribute, title = "api_url", "Backend without agent pools"
	default:
		diagnostics.AddError("Pulumi Cloud can't be configured", err.Error())
		return
	}
	diagnostics.AddAttributeError(path.Root(attribute), title, err.Error())
}

// Resources implements [provider.Provider].
func (p *pulumicloudProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{newAgentPoolResource, newDefaultAgentPoolResource}
}

// DataSources implements [provider.Provider].
func (p *pulumicloudProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{newAgentPoolDataSource, newAgentPoolsDataSource}
}

// ListResources implements [provider.ProviderWithListResources].
func (p *pulumicloudProvider) ListResources(context.Context) []func() list.ListResource {
	return []func() list.ListResource{newAgentPoolListResource}
}
