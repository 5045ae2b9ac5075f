package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// operation is an operation that failed.
type operation struct {
	// action completes the sentence "Could not …".
	action string
	// organization is empty for an operation without one.
	organization string
	// permission is the one that the operation requires, such as "agent_pool:create".
	permission string
}

// readOperation returns an operation that requires permission to read agent pools.
func readOperation(organization, action string) operation {
	return operation{
		action:       fmt.Sprintf("%s of organization %q", action, organization),
		organization: organization, permission: "agent_pool:read",
	}
}

// errorDiagnostic turns an error of the client into a diagnostic: what happened, to which object, and what to do.
func (d *providerData) errorDiagnostic(op operation, err error) diag.Diagnostic {
	summary, advice := d.describe(op, err)
	detail := fmt.Sprintf("Could not %s.", op.action)
	if advice != "" {
		detail += " " + advice
	}
	return diag.NewErrorDiagnostic(summary, detail+"\n\n"+causeOf(err))
}

// deleteDiagnostic is errorDiagnostic for a delete. Pulumi Cloud responds with 400, and a message that has changed over
// time, while stacks use the agent pool.
func (d *providerData) deleteDiagnostic(op operation, force bool, err error) diag.Diagnostic {
	var api *pulumiapi.APIError
	if force || !errors.As(err, &api) || !api.IsAPIResponse || api.StatusCode != http.StatusBadRequest {
		return d.errorDiagnostic(op, err)
	}
	return diag.NewErrorDiagnostic("Agent pool in use",
		fmt.Sprintf("Could not %s. Pulumi Cloud does not delete an agent pool while stacks use it. Change the deployment settings "+
			"of the stacks, then apply again.\n\n"+
			"To delete it anyway, set force_destroy = true and apply that change on its own before you destroy or replace the agent "+
			"pool: the value in the state applies. If this is a replacement, undo the change that triggers it first. Stacks that use "+
			"the agent pool then fall back to the default agent pool or to Pulumi-hosted runners.\n\n%s", op.action, causeOf(err)))
}

// busyDiagnostic is the error for an agent pool that is not deleted because it is executing deployments.
func busyDiagnostic(pool *agentPoolModel, timeout time.Duration, active []pulumiapi.Deployment) diag.Diagnostic {
	lines := []string{fmt.Sprintf("The %s was not deleted, because it was still executing deployments after %s. Wait until they "+
		"are finished, or apply a longer drain_timeout first.", pool, timeout)}
	for _, d := range active {
		lines = append(lines, fmt.Sprintf("- stack %q of project %q: %s", d.Stack, d.Project, d.Status))
	}
	return diag.NewErrorDiagnostic("Agent pool is executing deployments", strings.Join(lines, "\n"))
}

// tokenLostDiagnostic is the error for an agent pool that is in the state without its token.
func tokenLostDiagnostic(err *pulumiapi.TokenLostError) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Agent pool created without its token",
		fmt.Sprintf("Agent pool %q was created in organization %q with the ID %s, but the response with its token was lost, and "+
			"Pulumi Cloud returns a token only once. The agent pool is in the state and marked as tainted. Apply again to replace "+
			"it. To keep it without a token, run \"terraform untaint\". If another user created an agent pool with this name and "+
			"description at the same moment, run \"terraform state rm\" instead, so that it is not replaced.\n\n%s",
			err.Pool.Name, err.Organization, err.Pool.ID, causeOf(err.Err)))
}

// describe returns the summary of a diagnostic, and what to do.
func (d *providerData) describe(op operation, err error) (summary, advice string) {
	var (
		authentication *pulumiapi.AuthenticationError
		settings       *credentials.SettingsError
		refused        *pulumiapi.ExchangeRefusedError
		exists         *pulumiapi.AgentPoolExistsError
		unknown        *pulumiapi.UnknownOutcomeError
		notFound       *pulumiapi.AgentPoolNotFoundError
		stack          *pulumiapi.StackNotFoundError
		organization   *pulumiapi.OrganizationNotFoundError
		feature        *pulumiapi.FeatureNotAvailableError
		api            *pulumiapi.APIError
		transport      *pulumiapi.TransportError
		response       *pulumiapi.ResponseError
		argument       *pulumiapi.ArgumentError
	)
	switch {
	case errors.As(err, &exists):
		return existsAdvice(exists)
	case errors.As(err, &unknown):
		return "Agent pool may have been created", unknownOutcomeAdvice(unknown)
	case errors.As(err, &authentication):
		return d.describe(operation{}, authentication.Err)
	case errors.Is(err, context.Canceled):
		return "Request canceled", "The run was interrupted."
	case errors.As(err, &settings):
		return settings.Summary, settingsAdvice(settings.Setting)
	case errors.As(err, &refused):
		return "ID token rejected", exchangeAdvice(refused)
	case errors.As(err, &notFound):
		return "Agent pool not found", fmt.Sprintf("Organization %q has no agent pool with the ID %s. It may have been deleted "+
			"outside of Terraform. Run a new plan.", notFound.Organization, notFound.ID)
	case errors.As(err, &stack):
		return "Stack not found", fmt.Sprintf("Stack %q does not exist, or the access token cannot see it. Check the names of the "+
			"organization, the project and the stack.", stack.Stack)
	case errors.As(err, &organization):
		return "Organization not found", fmt.Sprintf("%s does not exist, or %s belongs to a user who is not a member. Check the "+
			"name, as it appears in the URL of the Pulumi Cloud console, and the access token.",
			d.organizationSource(organization.Organization), d.tokenSource())
	case errors.As(err, &feature):
		return "Agent pools not available", fmt.Sprintf("The edition of organization %q does not include agent pools, which require "+
			"the Enterprise edition. Upgrade the organization, or use a different one.", feature.Organization)
	case errors.As(err, &argument):
		return "Invalid value", fmt.Sprintf("The %s.", argument.Error())
	case errors.As(err, &response):
		return "Unexpected response from Pulumi Cloud", fmt.Sprintf("Pulumi Cloud at %s returned a success status with an unexpected "+
			"body. If the content is HTML, a proxy responded or the URL is wrong. Otherwise upgrade the provider.", d.urlSource())
	case errors.As(err, &api):
		return d.describeStatus(op, api)
	case errors.As(err, &transport):
		return d.describeTransport(transport)
	}
	return "Pulumi Cloud request failed", ""
}

func (d *providerData) describeStatus(op operation, err *pulumiapi.APIError) (summary, advice string) {
	switch {
	case err.StatusCode == http.StatusTooManyRequests:
		advice = fmt.Sprintf("Requests were still limited after %d attempts.", err.Attempts)
		if err.RetryAfter > 0 {
			advice = fmt.Sprintf("The response asks for a wait of %s.", err.RetryAfter)
		}
		return "Rate limit exceeded", advice + " Apply again later, or with a lower -parallelism."
	case err.StatusCode == http.StatusProxyAuthRequired:
		return "Proxy authentication required", "The proxy rejected the request. Set a user name and password in HTTPS_PROXY."
	case err.StatusCode >= http.StatusInternalServerError:
		return "Pulumi Cloud server error", fmt.Sprintf("The request failed after %d attempts. The state is unchanged. Apply again, "+
			"and see https://status.pulumi.com if the error persists.", err.Attempts)
	case !err.IsAPIResponse && err.Location != "":
		return "Response not from Pulumi Cloud", fmt.Sprintf("The server at %s redirects to %s, and the provider does not send the "+
			"access token there. If that is the correct address, set api_url to it.", d.urlSource(), err.Location)
	case !err.IsAPIResponse:
		return "Response not from Pulumi Cloud", fmt.Sprintf("The URL %s may be wrong, or a proxy responded instead of forwarding "+
			"the request. The state is unchanged.", d.urlSource())
	case err.StatusCode == http.StatusUnauthorized:
		return d.describeUnauthorized(err)
	case err.StatusCode == http.StatusForbidden && op.permission != "":
		return "Permission denied", fmt.Sprintf("If the message from Pulumi Cloud below does not name a different reason, this "+
			"operation requires the %s permission in organization %q. By default only organization administrators have it. Use a token "+
			"of an administrator or of a custom role with this permission.", op.permission, op.organization)
	case err.StatusCode == http.StatusPaymentRequired:
		return "Feature not available", fmt.Sprintf("The subscription of organization %q does not include this feature. Upgrade the "+
			"subscription.", op.organization)
	case op.permission == "stack_deployment_settings:write" && err.StatusCode == http.StatusBadRequest:
		return "Deployment settings rejected", "Pulumi Cloud does not accept the agent pool for this stack. Stacks that run " +
			"Terraform cannot have an agent pool."
	}
	return "Request rejected", ""
}

func (d *providerData) describeUnauthorized(err *pulumiapi.APIError) (summary, advice string) {
	for _, detail := range err.Details {
		if detail.Type == "saml_login_required" || detail.Type == "saml_reauth_required" {
			return "SSO login required", fmt.Sprintf("Organization %q requires a login through SAML SSO. Log in to the Pulumi Cloud "+
				"console through SSO again, then apply again.", detail.Attribute)
		}
	}
	advice = fmt.Sprintf("Pulumi Cloud at %s does not accept %s. ", d.urlSource(), d.tokenSource())
	if d.credentials.RenewedByCLI {
		return "Access token rejected", advice + "The token is short-lived and has probably expired. Run \"pulumi whoami\" to renew " +
			"it, or \"pulumi login\"."
	}
	return "Access token rejected", advice + "The token may have expired, been deleted, or belong to a different Pulumi Cloud. " +
		"Set a valid token."
}

// tokenSource and urlSource name a setting and where its value was found.
func (d *providerData) tokenSource() string {
	if d.credentials.AccessTokenSource == "" {
		return "the access token"
	}
	return "the access token from " + d.credentials.AccessTokenSource
}

func (d *providerData) urlSource() string {
	if d.credentials.BaseURLSource == "" {
		return d.credentials.BaseURL.String()
	}
	return fmt.Sprintf("%s (from %s)", d.credentials.BaseURL, d.credentials.BaseURLSource)
}

// exchangeAdvice names what an OIDC policy compares, and the claims of the ID token.
func exchangeAdvice(err *pulumiapi.ExchangeRefusedError) string {
	if err.WrongAudience() {
		return fmt.Sprintf("The ID token has the audience %s instead of %s. Configure the pipeline to request that audience.",
			strings.Join(err.Audiences, ", "), err.Exchange.Audience())
	}
	scope := ""
	if err.Exchange.Scope != "" {
		scope = fmt.Sprintf(" with the scope %q", err.Exchange.Scope)
	}
	advice := fmt.Sprintf("Register the issuer of the ID token in organization %q, with a policy that matches the token and allows "+
		"tokens of type %q%s. The edition of the organization must include that token type.",
		err.Exchange.Organization, err.Exchange.TokenType, scope)
	if err.Issuer != "" {
		advice += fmt.Sprintf(" The ID token has the issuer %s and the subject %s.", err.Issuer, err.Subject)
	}
	return advice + " An expired ID token is rejected too."
}

func (d *providerData) describeTransport(err *pulumiapi.TransportError) (summary, advice string) {
	var (
		unknownAuthority x509.UnknownAuthorityError
		verification     *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &unknownAuthority):
		return "Certificate not trusted", "The certificate of the server was issued by an unknown authority. For a self-hosted " +
			"Pulumi Cloud, set ca_cert_file to a PEM file with the certificate of that authority."
	case errors.As(err, &verification):
		return "Invalid certificate", fmt.Sprintf("The certificate of the server is not valid for the URL %s at this time. Correct "+
			"the URL, the certificate, or the clock of this machine.", d.urlSource())
	case errors.Is(err, http.ErrSchemeMismatch):
		return "Server does not use TLS", fmt.Sprintf("The server responded with plain HTTP, but the URL %s starts with https. "+
			"Correct its scheme or port.", d.urlSource())
	case err.Timeout > 0:
		return "Request timed out", fmt.Sprintf("There was no response within %s in any of %d attempts. Check the network, or set a "+
			"longer request_timeout.", err.Timeout, err.Attempts)
	}
	return "Pulumi Cloud is unreachable", fmt.Sprintf("Check the URL %s, the network, and the proxy settings HTTPS_PROXY and "+
		"NO_PROXY.", d.urlSource())
}

func existsAdvice(err *pulumiapi.AgentPoolExistsError) (summary, advice string) {
	if err.Reserved {
		return "Agent pool name is reserved", fmt.Sprintf("Pulumi Cloud refuses the name %q in organization %q as taken, but no agent "+
			"pool has it. If the agent pool with this name was just deleted, apply again in a minute. Otherwise choose a different "+
			"name.", err.Name, err.Organization)
	}
	advice = fmt.Sprintf("Organization %q already has an agent pool named %q, and names must be unique.", err.Organization, err.Name)
	if err.Existing == nil {
		return "Agent pool already exists", advice + " Choose a different name."
	}
	return "Agent pool already exists", fmt.Sprintf("%s Its ID is %s.\n\n"+
		"If this configuration already manages that agent pool (for example because names are swapped, or because of "+
		"create_before_destroy), set name_prefix instead of name, or rename it in a separate apply. Otherwise choose a different "+
		"name, or import the agent pool without its token:\n\n"+
		"  terraform import ADDRESS %s/%s\n\n"+
		"where ADDRESS is that of a resource, such as pulumicloud_agent_pool.example.",
		advice, err.Existing.ID, err.Organization, err.Existing.ID)
}

func unknownOutcomeAdvice(err *pulumiapi.UnknownOutcomeError) string {
	const lost = "The request was sent, but its response was lost."
	if err.Candidate != nil {
		return fmt.Sprintf("%s Organization %q has an agent pool %q with the ID %s, which may be the one. Look at it in the Pulumi "+
			"Cloud console. Then delete it, or import it without its token:\n\n  terraform import ADDRESS %s/%s\n\n"+
			"where ADDRESS is that of this resource.",
			lost, err.Organization, err.Name, err.Candidate.ID, err.Organization, err.Candidate.ID)
	}
	finding := "Organization %q had no agent pool %q immediately afterwards, so it was probably not created."
	if err.LookupErr != nil {
		finding = "The provider could not read the list of organization %q to find out whether agent pool %q exists."
	}
	return fmt.Sprintf("%s "+finding+" Apply again. If the agent pool exists by then, the error contains the command that imports "+
		"it.", lost, err.Organization, err.Name)
}

// causeOf returns the response or the error that caused err, and the details for Pulumi's support.
func causeOf(err error) string {
	if authentication, ok := errors.AsType[*pulumiapi.AuthenticationError](err); ok {
		err = authentication.Err
	}
	cause := err.Error()
	settings, isSettingsError := errors.AsType[*credentials.SettingsError](err)
	unknown, isUnknown := errors.AsType[*pulumiapi.UnknownOutcomeError](err)
	api, isAPIError := errors.AsType[*pulumiapi.APIError](err)
	switch {
	case isUnknown && unknown.LookupErr != nil:
		cause = unknown.Err.Error() + "\nThen: " + unknown.LookupErr.Error()
	case isUnknown:
		cause = unknown.Err.Error()
	case isAPIError:
		cause = api.Error()
	case isSettingsError: // The summary and the advice are in the diagnostic already.
		cause = settingsCause(settings)
	}
	lines := []string{"Cause: " + cause}
	if isAPIError {
		for _, detail := range api.Details {
			lines = append(lines, "- "+joinNonEmpty(": ", detail.Resource, detail.Attribute, detail.Type, detail.Message))
		}
		if api.DocumentationURL != "" {
			lines = append(lines, "See "+api.DocumentationURL)
		}
	}
	return strings.Join(lines, "\n")
}

func joinNonEmpty(separator string, texts ...string) string {
	var kept []string
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return strings.Join(kept, separator)
}

// settingsDiagnostic is the error for a setting, with what to do.
func settingsDiagnostic(err error) diag.Diagnostic {
	var settings *credentials.SettingsError
	if !errors.As(err, &settings) {
		return diag.NewErrorDiagnostic("Invalid provider configuration", err.Error())
	}
	detail := settingsCause(settings) + " " + settingsAdvice(settings.Setting)
	return diag.NewAttributeErrorDiagnostic(path.Root(string(settings.Setting)), settings.Summary, detail)
}

// settingsCause returns the error of a setting and where its value was found.
func settingsCause(err *credentials.SettingsError) string {
	if errors.Is(err, credentials.ErrNoAccessToken) {
		return err.Err.Error() // It names all sources.
	}
	return fmt.Sprintf("%s Source: %s.", err.Err, err.Source)
}

func settingsAdvice(setting credentials.Setting) string {
	switch setting {
	case credentials.AccessToken:
		return "Set PULUMI_ACCESS_TOKEN or access_token, or run \"pulumi login\". If the token belongs to a different Pulumi Cloud, " +
			"also set api_url or PULUMI_BACKEND_URL."
	case credentials.APIURL:
		return "Set api_url or PULUMI_BACKEND_URL to the URL of Pulumi Cloud, such as " + credentials.DefaultBaseURL + "."
	case credentials.Organization:
		return "Set organization or PULUMI_DEFAULT_ORGANIZATION to the name of an organization."
	case credentials.OIDC:
		return "Set token_file or token_env_var in the oidc block. In GitHub Actions, give the job the permission id-token: write. In " +
			"HCP Terraform, set the environment variable TFC_WORKLOAD_IDENTITY_AUDIENCE of the workspace."
	}
	return ""
}

func invalidPoolID(at path.Path, value string) diag.Diagnostic {
	if credentials.LooksLikeToken(value) {
		return tokenInWrongPlace(at)
	}
	return diag.NewAttributeErrorDiagnostic(at, "Invalid agent pool ID",
		fmt.Sprintf("%q is not an agent pool ID, which is a UUID. To find the ID of an agent pool by its name, use the data source "+
			"pulumicloud_agent_pool.", value))
}
