// Package provider is the Terraform provider for agent pools of Pulumi Cloud: its configuration, resources and data
// sources, one file each.
package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// Option changes the configuration of the client. Tests use it to shorten waits.
type Option func(*pulumiapi.Config)

// New returns the constructor of the provider. The version is part of the User-Agent header.
func New(version string, options ...Option) func() provider.Provider {
	return func() provider.Provider { return &pulumicloudProvider{version: version, options: options} }
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
	AccessToken    types.String `tfsdk:"access_token"`
	APIURL         types.String `tfsdk:"api_url"`
	Organization   types.String `tfsdk:"organization"`
	CACertFile     types.String `tfsdk:"ca_cert_file"`
	RequestTimeout types.String `tfsdk:"request_timeout"`
	MaxRetries     types.Int64  `tfsdk:"max_retries"`
	OIDC           types.Object `tfsdk:"oidc"`
}

func (p *pulumicloudProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "pulumicloud"
	resp.Version = p.version
}

func (p *pulumicloudProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Manages agent pools of Pulumi Cloud, which are pools of self-hosted runners for Pulumi Deployments " +
			"and other workflows.",
		Attributes: map[string]schema.Attribute{
			"access_token": schema.StringAttribute{
				MarkdownDescription: "Pulumi access token. Requires the `agent_pool` permissions, which organization administrators " +
					"have. Defaults to `PULUMI_ACCESS_TOKEN`, then to the token that `pulumi login` stored for the URL.",
				Optional:   true,
				Sensitive:  true,
				Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"api_url": schema.StringAttribute{
				MarkdownDescription: "URL of Pulumi Cloud. Set it for a self-hosted installation. Defaults to `PULUMI_BACKEND_URL`, then " +
					"to the current backend of `pulumi login`, then to `PULUMI_API`, then to `" + credentials.DefaultBaseURL + "`.",
				Optional:   true,
				Validators: []validator.String{validBaseURL()},
			},
			"organization": schema.StringAttribute{
				MarkdownDescription: "Default organization for resources and data sources that do not set one. Defaults to " +
					"`PULUMI_DEFAULT_ORGANIZATION`, then to the organization of `pulumi org set-default`, then to the default " +
					"organization of the user in Pulumi Cloud.",
				Optional:   true,
				Validators: []validator.String{validPathName()},
			},
			"ca_cert_file": schema.StringAttribute{
				MarkdownDescription: "Path to a PEM file with certificate authorities to trust in addition to those of the system. Set " +
					"it for a self-hosted installation with a private certificate authority.",
				Optional:   true,
				Validators: []validator.String{notEmpty()},
			},
			"request_timeout": schema.StringAttribute{
				MarkdownDescription: "Maximum duration of one attempt of a request, such as `30s` or `2m`. Defaults to `60s`.",
				Optional:            true,
				Validators:          []validator.String{positiveDuration()},
			},
			"max_retries": schema.Int64Attribute{
				MarkdownDescription: fmt.Sprintf("Maximum number of retries for a request that fails transiently and is safe to repeat. "+
					"`0` disables retries, and the wait for a rate limit. Defaults to `%d`.", pulumiapi.DefaultConfig().MaxRetries),
				Optional:   true,
				Validators: []validator.Int64{int64validator.Between(0, 100)},
			},
			"oidc": oidcAttribute(),
		},
	}
}

func (p *pulumicloudProvider) ValidateConfig(
	ctx context.Context, req provider.ValidateConfigRequest, resp *provider.ValidateConfigResponse,
) {
	var model providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	oidc, diags := oidcFrom(ctx, model.OIDC)
	resp.Diagnostics.Append(diags...)
	if oidc != nil {
		resp.Diagnostics.Append(oidc.validate()...)
	}
}

// Configure implements [provider.Provider]. It makes no request.
func (p *pulumicloudProvider) Configure(
	ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse,
) {
	var model providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	oidc, diags := oidcFrom(ctx, model.OIDC)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	data := &providerData{organization: model.Organization}
	resp.ResourceData, resp.DataSourceData, resp.ListResourceData = data, data, data
	if unknown := unknownArguments(req.Config); len(unknown) > 0 {
		data.unknown = true
		data.problem.AddError("Provider configuration is not known yet",
			fmt.Sprintf("The provider argument %s depends on values that are known only after apply. Apply the resources that it "+
				"depends on first, for example with -target, or set a value that is known during plan.", strings.Join(unknown, ", ")))
		// Terraform configures the provider again before it applies.
		if req.ClientCapabilities.DeferralAllowed {
			resp.Deferred = &provider.Deferred{Reason: provider.DeferredReasonProviderConfigUnknown}
		}
		return
	}
	config := pulumiapi.DefaultConfig()
	config.UserAgent = fmt.Sprintf("terraform-provider-pulumicloud/%s "+
		"(+https://registry.terraform.io/providers/pulumicloud/pulumicloud) Terraform/%s", p.version, req.TerraformVersion)
	config.RequestTimeout = durationOr(model.RequestTimeout, config.RequestTimeout)
	if !model.MaxRetries.IsNull() {
		config.MaxRetries = int(model.MaxRetries.ValueInt64())
	}
	for _, option := range p.options {
		option(&config)
	}
	resp.Diagnostics.Append(data.configure(model, oidc, config)...)
	if data.client == nil {
		data.problem.Append(resp.Diagnostics...)
	}
}

// configure finds the credentials and creates the client. A missing access token is an error of the first resource or
// data source, so that a configuration without any can be planned.
func (d *providerData) configure(model providerModel, oidc *oidcModel, config pulumiapi.Config) diag.Diagnostics {
	var diags diag.Diagnostics
	env := credentials.ProcessEnvironment()
	overrides := credentials.Overrides{
		APIURL:              model.APIURL.ValueString(),
		AccessToken:         model.AccessToken.ValueString(),
		Organization:        model.Organization.ValueString(),
		AccessTokenOptional: oidc != nil,
	}
	d.now = config.Now

	var err error
	d.credentials, err = credentials.Resolve(overrides, env)
	if errors.Is(err, credentials.ErrNoAccessToken) {
		d.problem.Append(settingsDiagnostic(err))
		return nil
	}
	if err != nil {
		return diag.Diagnostics{settingsDiagnostic(err)}
	}
	baseURL := d.credentials.BaseURL
	found := &d.defaultOrganization
	found.name, found.source, found.err = credentials.DefaultOrganization(overrides, env, baseURL)
	if credentials.IsPlaintext(baseURL) {
		diags.AddAttributeWarning(path.Root("api_url"), "API URL is not encrypted",
			fmt.Sprintf("Requests to %s are not encrypted. The access token and the tokens of new agent pools can be read in transit. "+
				"Use an https URL.", d.urlSource()))
	}
	if err := checkProxy(baseURL); err != nil {
		diags.AddError("Invalid proxy setting", fmt.Sprintf("The %s. Set it to the URL of the proxy, or remove it. Percent-encode "+
			"special characters in the user name and the password.", err))
	}
	if config.RootCAs, err = rootCAs(model.CACertFile.ValueString()); err != nil {
		diags.AddAttributeError(path.Root("ca_cert_file"), "Invalid CA certificate file",
			fmt.Sprintf("The %s. Set ca_cert_file to a PEM file with the certificates of the authority.", err))
	}
	config.BaseURL, config.AccessToken = baseURL, d.credentials.AccessToken
	if oidc != nil {
		switch {
		case found.err != nil:
			diags.Append(settingsDiagnostic(found.err))
		case found.name == "": // No request can be made to find it.
			diags.AddAttributeError(organizationPath, "Missing organization",
				"OIDC authentication requires an organization. Set organization in the provider block, or set "+
					"PULUMI_DEFAULT_ORGANIZATION.")
		}
		config.Exchange = oidc.exchange(found.name, env, idTokenClient(config), config.MaxRetries)
		config.Secrets = append(config.Secrets, credentials.PipelineSecrets(env)...)
		d.credentials.AccessTokenSource = "the exchange of the OIDC ID token"
	}
	if diags.HasError() {
		return diags
	}
	config.Logger.Debug("configured", "url", baseURL.String(), "url_source", d.credentials.BaseURLSource,
		"access_token_source", d.credentials.AccessTokenSource)
	d.client = pulumiapi.New(config)
	return diags
}

// unknownArguments returns the arguments that are not known and without which no request can be made.
func unknownArguments(config tfsdk.Config) []string {
	var arguments map[string]tftypes.Value
	_ = config.Raw.As(&arguments) // A provider block is an object.
	var names []string
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		// Only the token exchange needs the organization of the provider block.
		needed := name != "organization" || !arguments["oidc"].IsNull()
		if needed && !arguments[name].IsFullyKnown() {
			names = append(names, name)
		}
	}
	return names
}

// idTokenClient returns the HTTP client for the ID token endpoint of GitHub Actions.
func idTokenClient(config pulumiapi.Config) *http.Client {
	return &http.Client{
		Timeout: config.RequestTimeout,
		Transport: &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			TLSClientConfig:   &tls.Config{RootCAs: config.RootCAs, MinVersion: tls.VersionTLS12},
			DisableKeepAlives: true, // It makes one request.
		},
	}
}

// rootCAs returns the certificate authorities of the system and of the file, or nil without a file.
func rootCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	content, err := credentials.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("file %s cannot be read: %w", file, err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("certificate authorities of the system cannot be read: %w", err)
	}
	count := 0
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		count++
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("file %s contains an invalid certificate (number %d): %w", file, count, err)
		}
		roots.AddCert(certificate)
	}
	if count == 0 {
		return nil, fmt.Errorf("file %s contains no certificate in PEM format (-----BEGIN CERTIFICATE-----)", file)
	}
	return roots, nil
}

// checkProxy returns an error for a proxy variable that net/http would ignore, so that requests would bypass the proxy.
// Its value may contain a password.
func checkProxy(baseURL *url.URL) error {
	upper := proxyVariable(baseURL)
	for _, name := range []string{upper, strings.ToLower(upper)} {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		if !strings.Contains(value, "://") {
			value = "http://" + value
		}
		proxy, err := url.Parse(value)
		if err != nil || proxy.Hostname() == "" {
			return fmt.Errorf("environment variable %s does not contain a valid URL", name)
		}
	}
	return nil
}

// proxyVariable returns the name of the variable with the URL of the proxy.
func proxyVariable(baseURL *url.URL) string { return strings.ToUpper(baseURL.Scheme) + "_PROXY" }

func (p *pulumicloudProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		newAgentPoolResource, newAgentPoolReadinessResource, newOrganizationDefaultAgentPoolResource, newStackAgentPoolResource,
	}
}

func (p *pulumicloudProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{newAgentPoolDataSource, newAgentPoolsDataSource}
}

func (p *pulumicloudProvider) ListResources(context.Context) []func() list.ListResource {
	return []func() list.ListResource{newAgentPoolListResource}
}
