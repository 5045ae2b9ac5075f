package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// errorContext describes the failed operation in a diagnostic.
type errorContext struct {
	// action completes the sentence "Could not …".
	action string
	// organization is empty for an operation without one.
	organization string
	// permission is the one that the operation requires, such as "agent_pool:create".
	permission string
	// rejected is more advice for a request that is rejected, or empty.
	rejected string
	// newName reports whether the next apply generates a new name for the agent pool to create.
	newName bool
	// note follows the advice, if it is not empty.
	note string
}

// contextIn returns the context of an operation in an organization.
func contextIn(organization, permission, action string) errorContext {
	action = fmt.Sprintf("%s in organization %q", action, organization)
	return errorContext{action: action, organization: organization, permission: permission}
}

// readContext is contextIn for an operation that reads agent pools.
func readContext(organization, action string) errorContext {
	return contextIn(organization, "agent_pool:read", action)
}

// errorDiagnostic turns an error of the client into a diagnostic: what happened, to which object, and what to do.
func (d *providerData) errorDiagnostic(op errorContext, err error) diag.Diagnostic {
	summary, advice := d.describe(op, err)
	if op.note != "" {
		advice += "\n\n" + op.note
	}
	return diag.NewErrorDiagnostic(summary, fmt.Sprintf("Could not %s. %s\n\n%s", op.action, advice, causeOf(err)))
}

// isNotFound reports whether Pulumi Cloud itself says that an agent pool does not exist.
func isNotFound(err error) bool { return isA[*pulumiapi.AgentPoolNotFoundError](err) }

// isA reports whether err has the type or wraps an error that has it.
func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// describe returns the summary of a diagnostic, and what to do.
func (d *providerData) describe(op errorContext, err error) (summary, advice string) {
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
		return existsAdvice(op, exists)
	case errors.As(err, &unknown):
		reason := ""
		switch lookupErr := unknown.LookupErr; {
		case errors.Is(err, context.Canceled):
		case failsAgain(lookupErr), isA[*pulumiapi.TransportError](lookupErr):
			_, reason = d.describe(readContext(op.organization, ""), lookupErr)
		case lookupErr == nil && failsAgain(unknown.Err):
			_, reason = d.describe(op, unknown.Err)
		}
		return "Agent pool may have been created", unknownOutcomeAdvice(op, unknown, reason)
	case errors.As(err, &authentication):
		return d.describe(errorContext{}, authentication.Err)
	case errors.Is(err, context.Canceled):
		return "Request canceled", "The run was interrupted. Run the command again."
	case errors.As(err, &settings):
		return settings.Summary, settingsAdvice(settings)
	case errors.As(err, &refused):
		return "ID token rejected", d.exchangeAdvice(refused)
	case errors.As(err, &notFound):
		return "Agent pool not found", fmt.Sprintf("Organization %q has no agent pool with the ID %s. Correct the ID. If the agent "+
			"pool was deleted outside of Terraform, run a new plan.", op.organization, notFound.ID)
	case errors.As(err, &stack):
		return "Stack not found", "The stack or its deployment settings do not exist, or the access token cannot see them. " +
			"Create the stack, or check the names of the organization, the project and the stack."
	case errors.As(err, &organization):
		return "Organization not found", fmt.Sprintf("%s does not exist, or %s has no access to it. Check the "+
			"name, as it appears in the URL of the Pulumi Cloud console, and the access token.",
			d.organizationSource(op.organization), d.tokenSource())
	case errors.As(err, &feature):
		return "Agent pools not available", fmt.Sprintf("The edition of organization %q does not include agent pools, which require "+
			"the Enterprise edition. Upgrade the organization, or use a different one.", op.organization)
	case errors.As(err, &argument):
		return "Invalid value", fmt.Sprintf("The %s.", argument.Error())
	case errors.As(err, &response) && response.ContentType == "text/html":
		return "Unexpected response from Pulumi Cloud", fmt.Sprintf("The server at %s returned an HTML page. Correct the URL or the "+
			"proxy settings.", d.urlSource())
	case errors.As(err, &response):
		return "Unexpected response from Pulumi Cloud", fmt.Sprintf("Pulumi Cloud at %s returned a success status with an unexpected "+
			"body. If running the command again does not help, upgrade the provider.", d.urlSource())
	case errors.As(err, &api):
		return d.describeStatus(op, api)
	case errors.As(err, &transport):
		return d.describeTransport(op, transport)
	}
	return "Pulumi Cloud request failed", "Run the command again."
}

// failsAgain reports whether the same request would fail again: err is an invalid setting, an unexpected response, or a
// status other than 408, 429 and 5xx.
func failsAgain(err error) bool {
	err = withoutAuthentication(err)
	if api, ok := errors.AsType[*pulumiapi.APIError](err); ok {
		return api.StatusCode < http.StatusInternalServerError && api.StatusCode != http.StatusTooManyRequests &&
			api.StatusCode != http.StatusRequestTimeout
	}
	return isA[*pulumiapi.ResponseError](err) || isA[*credentials.SettingsError](err)
}

// withoutAuthentication returns the reason of a failed authentication, and every other error as it is.
func withoutAuthentication(err error) error {
	if authentication, ok := errors.AsType[*pulumiapi.AuthenticationError](err); ok {
		return authentication.Err
	}
	return err
}

// effectOf returns a sentence about a write whose outcome is not known, with a space before it.
func effectOf(op errorContext) string {
	if op.permission == "" || strings.HasSuffix(op.permission, ":read") {
		return ""
	}
	return " It may have taken effect."
}

func (d *providerData) describeStatus(op errorContext, err *pulumiapi.APIError) (summary, advice string) {
	switch {
	case err.StatusCode == http.StatusTooManyRequests:
		advice = fmt.Sprintf("Requests are still limited (attempts: %d).", err.Attempts)
		if err.RetryAfter > pulumiapi.MaxRetryAfter {
			advice = fmt.Sprintf("The response asks for a wait of %s.", err.RetryAfter)
		} else if err.Attempts == 1 {
			advice = "With max_retries = 0, the provider does not wait for the rate limit. Set it to 1 or more."
		}
		return "Rate limit exceeded", advice + " Run the command again later, or with a lower -parallelism."
	case err.StatusCode == http.StatusProxyAuthRequired:
		return d.describeProxyAuthentication()
	case err.StatusCode == http.StatusRequestTimeout:
		return "Request timed out", fmt.Sprintf("The server or a proxy reported a timeout (attempts: %d).%s Run the command "+
			"again. If the error persists, check the network and the proxy.", err.Attempts, effectOf(op))
	case err.StatusCode >= http.StatusInternalServerError:
		advice = fmt.Sprintf("The request failed (attempts: %d).%s Run the command again.", err.Attempts, effectOf(op))
		if d.credentials.BaseURL.String() == credentials.DefaultBaseURL {
			advice += " If the error persists, see https://status.pulumi.com."
		}
		return "Pulumi Cloud server error", advice
	case !err.IsAPIResponse && err.Location != "":
		return "Response not from Pulumi Cloud", fmt.Sprintf("The server at %s redirects to %s. The provider follows at most 10 "+
			"redirects, only of reads and on the same host, so that no other server gets the access token. If Pulumi Cloud is there, "+
			"set api_url to the part before \"/api\". Otherwise correct the URL or the proxy settings.", d.urlSource(), err.Location)
	case !err.IsAPIResponse:
		return "Response not from Pulumi Cloud", fmt.Sprintf("The URL %s may be wrong, or a proxy responded instead of forwarding "+
			"the request. Correct the URL or the proxy settings.", d.urlSource())
	case err.StatusCode == http.StatusUnauthorized:
		return d.describeUnauthorized(err)
	case err.StatusCode == http.StatusForbidden && op.permission != "":
		return "Permission denied", fmt.Sprintf("This operation requires the %s permission in organization %q. Use a token of an "+
			"organization administrator, or of a custom role with this permission. If the cause below gives a different reason, follow "+
			"that reason instead.", op.permission, op.organization)
	case err.StatusCode == http.StatusPaymentRequired:
		return "Feature not available", fmt.Sprintf("The subscription of organization %q does not include this feature. Upgrade the "+
			"subscription.", op.organization)
	}
	advice = "Correct the problem that the cause below describes, then run the command again. " + op.rejected
	return "Request rejected", strings.TrimSpace(advice)
}

func (d *providerData) describeUnauthorized(err *pulumiapi.APIError) (summary, advice string) {
	for _, detail := range err.Details {
		if detail.Type == "saml_login_required" || detail.Type == "saml_reauth_required" {
			return "SSO login required", fmt.Sprintf("Organization %q requires a login through SAML SSO. The user of the "+
				"access token must log in to the Pulumi Cloud console through SSO again.", detail.Attribute)
		}
	}
	advice = fmt.Sprintf("Pulumi Cloud at %s does not accept %s. ", d.urlSource(), d.tokenSource())
	if d.credentials.RenewedByCLI {
		return "Access token rejected", advice + "The token is short-lived and has probably expired. Run \"pulumi whoami\" to renew " +
			"it, or \"pulumi login\"."
	}
	return "Access token rejected", advice + "The token may have expired or been deleted, or it may belong to a different " +
		"Pulumi Cloud. Set a valid access token, or run \"pulumi login\" again."
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

// exchangeAdvice names the settings of an OIDC policy and the claims of the ID token.
func (d *providerData) exchangeAdvice(err *pulumiapi.ExchangeRefusedError) string {
	if !err.Expiry.IsZero() && err.Expiry.Before(d.now()) {
		return fmt.Sprintf("The ID token expired at %s. Run the job again, or request a new ID token.", err.Expiry.Format(time.RFC3339))
	}
	if len(err.Audiences) > 0 && !slices.Contains(err.Audiences, err.Exchange.Audience()) {
		return fmt.Sprintf("The ID token has the audience %s instead of %s. Configure the pipeline to request that audience.",
			strings.Join(err.Audiences, ", "), err.Exchange.Audience())
	}
	claims := ""
	if err.Issuer != "" {
		claims = fmt.Sprintf(", which has the issuer %s and the subject %s", err.Issuer, err.Subject)
	}
	scope := ""
	if err.Exchange.Scope != "" {
		scope = fmt.Sprintf(" with the scope %q", err.Exchange.Scope)
	}
	return fmt.Sprintf("Pulumi Cloud did not exchange the ID token%s. Register this issuer in organization %q, with a policy that "+
		"allows this subject to request tokens of type %q%s. The edition of the organization must include that token type.",
		claims, err.Exchange.Organization, err.Exchange.TokenType, scope)
}

func (d *providerData) describeTransport(op errorContext, err *pulumiapi.TransportError) (summary, advice string) {
	var (
		unknownAuthority x509.UnknownAuthorityError
		verification     *tls.CertificateVerificationError
		noTLS            tls.RecordHeaderError
		effect           string
	)
	if err.Ambiguous {
		effect = effectOf(op)
	}
	switch {
	case errors.As(err, &unknownAuthority):
		return "Certificate not trusted", fmt.Sprintf("The certificate of the server at %s was issued by an unknown authority. For a "+
			"self-hosted Pulumi Cloud, or if a proxy decrypts TLS, set ca_cert_file to a PEM file with the certificate of that authority.",
			d.urlSource())
	case errors.As(err, &verification):
		return "Invalid certificate", fmt.Sprintf("The certificate of the server is not valid for the URL %s at this time. Correct "+
			"the URL, the certificate, or the clock of this machine.", d.urlSource())
	case errors.Is(err, pulumiapi.ErrProxyAuthentication):
		return d.describeProxyAuthentication()
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &noTLS):
		return "Server does not use TLS", fmt.Sprintf("The URL %s starts with https, but the server does not respond with TLS. "+
			"Correct the scheme or the port.", d.urlSource())
	case err.Timeout > 0:
		return "Request timed out", fmt.Sprintf("There was no response within %s (attempts: %d).%s Check the network, or set a longer "+
			"request_timeout.", err.Timeout, err.Attempts, effect)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "Connection closed", fmt.Sprintf("The server or a proxy closed the connection before the complete response arrived "+
			"(attempts: %d).%s If running the command again does not help, check the URL %s, the network and the proxy.",
			err.Attempts, effect, d.urlSource())
	}
	return "Pulumi Cloud is unreachable", fmt.Sprintf("Check the URL %s, the network, and the proxy settings %s and NO_PROXY.",
		d.urlSource(), proxyVariable(d.credentials.BaseURL))
}

func (d *providerData) describeProxyAuthentication() (summary, advice string) {
	return "Proxy authentication required", fmt.Sprintf("The proxy rejected the request. Set a user name and password in %s.",
		proxyVariable(d.credentials.BaseURL))
}

// causeOf returns the response or the error that caused err, and the details for Pulumi's support.
func causeOf(err error) string {
	unknown, isUnknown := errors.AsType[*pulumiapi.UnknownOutcomeError](err)
	if !isUnknown {
		err = withoutAuthentication(err)
	}
	cause := "Cause: " + err.Error()
	if settings, ok := errors.AsType[*credentials.SettingsError](err); ok {
		cause = "Cause: " + settingsCause(settings) // The summary and the advice are in the diagnostic already.
	}
	if isUnknown && unknown.LookupErr != nil {
		cause += "\nThen: " + unknown.LookupErr.Error()
	}
	api, ok := errors.AsType[*pulumiapi.APIError](err)
	if !ok {
		return cause
	}
	for _, detail := range api.Details {
		texts := []string{detail.Resource, detail.Attribute, detail.Type, detail.Message}
		texts = slices.DeleteFunc(texts, func(text string) bool { return text == "" })
		cause += "\n- " + strings.Join(texts, ": ")
	}
	if api.DocumentationURL != "" {
		cause += "\nSee " + api.DocumentationURL
	}
	return cause
}

// settingsDiagnostic is the error for a setting, with what to do.
func settingsDiagnostic(err error) diag.Diagnostic {
	var settings *credentials.SettingsError
	if !errors.As(err, &settings) {
		return diag.NewErrorDiagnostic("Invalid provider configuration", err.Error())
	}
	detail := settingsCause(settings) + " " + settingsAdvice(settings)
	return diag.NewAttributeErrorDiagnostic(path.Root(string(settings.Setting)), settings.Summary, detail)
}

// settingsCause returns the error of a setting and where its value was found.
func settingsCause(err *credentials.SettingsError) string {
	if errors.Is(err, credentials.ErrNoAccessToken) {
		return err.Err.Error() // It names all sources.
	}
	return fmt.Sprintf("%s Source: %s.", err.Err, err.Source)
}

func settingsAdvice(err *credentials.SettingsError) string {
	switch {
	case errors.Is(err, credentials.ErrEncrypted):
		return "Set both PULUMI_ACCESS_TOKEN and PULUMI_BACKEND_URL. For Pulumi Cloud, the URL is " + credentials.DefaultBaseURL + "."
	case errors.Is(err, credentials.ErrNoAccessToken):
		return "Set PULUMI_ACCESS_TOKEN or access_token, or run \"pulumi login\". If the token belongs to a different Pulumi Cloud, " +
			"also set api_url or PULUMI_BACKEND_URL."
	case err.Setting == credentials.AccessToken:
		return "Correct it, or set PULUMI_ACCESS_TOKEN or access_token to a valid access token."
	case err.Setting == credentials.APIURL:
		return "Set api_url or PULUMI_BACKEND_URL to the URL of Pulumi Cloud, such as " + credentials.DefaultBaseURL + "."
	case err.Setting == credentials.Organization:
		return "Set organization or PULUMI_DEFAULT_ORGANIZATION to the name of an organization."
	case errors.Is(err, credentials.ErrNoPipeline):
		return "Set token_file or token_env_var in the oidc block. In GitHub Actions, give the job the permission id-token: write. " +
			"In HCP Terraform, set the environment variable TFC_WORKLOAD_IDENTITY_AUDIENCE of the workspace."
	}
	return fmt.Sprintf("Make sure that %s provides an ID token to this job.", err.Source)
}
