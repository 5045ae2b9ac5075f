package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

// operation is what was being done when the API failed.
type operation struct {
	// verb completes "Could not …".
	verb string
	// permission is the one that it takes, e.g. "agent_pool:create".
	permission string
	// organization is the one it was done in, empty if there is none.
	organization string
}

// readOperation is one that takes no more than reading.
func readOperation(organization, what string) operation {
	return operation{
		verb:         fmt.Sprintf("%s of organization %q", what, organization),
		permission:   "agent_pool:read",
		organization: organization,
	}
}

// inUseOperation is the deletion of a pool, which stacks' settings may forbid.
type inUseOperation struct {
	pool   string
	forced bool
}

// addError turns an error of the client into a diagnostic: what happened, to what, and what to do next.
func addError(diagnostics *diag.Diagnostics, op operation, err error) {
	title, advice := explain(op, err)
	detail := fmt.Sprintf("Could not %s.", op.verb)
	if advice != "" {
		detail += " " + advice
	}
	diagnostics.AddError(title, detail+"\n\n"+report(err))
}

// explain returns a title and advice for an error.
func explain(op operation, err error) (title, advice string) {
	var (
		authentication *cloud.AuthenticationError
		idToken        *cloud.IDTokenError
		refused        *cloud.ExchangeRefusedError
		exists         *cloud.AgentPoolExistsError
		unknown        *cloud.UnknownOutcomeError
		poolGone       *cloud.AgentPoolNotFoundError
		organization   *cloud.OrganizationNotFoundError
		api            *cloud.APIError
		transport      *cloud.TransportError
		response       *cloud.ResponseError
		argument       *cloud.ArgumentError
	)
	switch {
	case errors.As(err, &idToken) && !errors.Is(err, context.Canceled):
		return "No ID token", "The provider's oidc has no ID token to exchange for an access token."
	case errors.As(err, &refused):
		return "ID token refused", refusedAdvice(refused)
	case errors.As(err, &exists):
		return "Agent pool exists already", existsAdvice(exists)
	case errors.As(err, &unknown):
		if errors.As(unknown.Err, &api) && !api.FromPulumi && api.StatusCode < http.StatusInternalServerError {
			title, advice = explainForeign(api)
			return title, advice + " " + unknownAdvice(unknown)
		}
		return "Agent pool may have been created", unknownAdvice(unknown)
	case errors.As(err, &authentication):
		return explain(operation{}, authentication.Err)
	case errors.As(err, &poolGone):
		return "Agent pool not found", fmt.Sprintf("Organization %q has no agent pool with the id %s; it may have been deleted "+
			"outside Terraform. A new plan shows what is left to do.", poolGone.Organization, poolGone.ID)
	case errors.As(err, &organization):
		return "Organization not found", fmt.Sprintf("Pulumi Cloud knows no organization %q, or the access token's owner is no "+
			"member of it. Check its name (as in the console's URL) and whose token this is.", organization.Organization)
	case errors.As(err, &argument):
		return "Invalid value", fmt.Sprintf("The %s.", argument.Error())
	case errors.As(err, &response):
		return "Unexpected answer of Pulumi Cloud", "The answer is a success by its status, but not what the API describes. A " +
			"proxy in between may have changed it; if not, this provider may be older than the server."
	case errors.As(err, &api):
		return explainStatus(op, api)
	case errors.As(err, &transport):
		return explainTransport(transport)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "Interrupted", ""
	}
	return "Pulumi Cloud request failed", ""
}

func explainStatus(op operation, err *cloud.APIError) (title, advice string) {
	if !err.FromPulumi {
		return explainForeign(err)
	}
	switch {
	case err.StatusCode == http.StatusUnauthorized:
		return "Access token refused", "Pulumi Cloud does not accept the access token: it may have expired, been deleted, or " +
			"belong to another Pulumi Cloud than api_url names."
	case err.StatusCode == http.StatusForbidden:
		where := ""
		if op.organization != "" {
			where = fmt.Sprintf(" in organization %q", op.organization)
		}
		needed := "a permission that it lacks"
		if op.permission != "" {
			needed = "the permission " + op.permission
		}
		return "Permission denied", fmt.Sprintf("It takes %s%s, which by default only an organization's administrators have. "+
			"Agent pools also need an edition of Pulumi Cloud that includes them (Enterprise).", needed, where)
	case err.StatusCode == http.StatusTooManyRequests:
		advice := fmt.Sprintf("Pulumi Cloud still limited the rate of requests at attempt %d.", err.Attempts)
		if err.RetryAfter > 0 {
			advice = fmt.Sprintf("Pulumi Cloud limits the rate of requests and asks to wait %s.", err.RetryAfter)
		}
		return "Too many requests", advice + " Try again later, with a lower -parallelism or a higher max_retries."
	case err.StatusCode >= http.StatusInternalServerError:
		return "Pulumi Cloud failed", fmt.Sprintf("It answered with an error of its own (attempts: %d). Nothing was removed from "+
			"the state; try again, and see https://status.pulumi.com if it goes on.", err.Attempts)
	}
	return "Request refused", ""
}

// refusedAdvice names what a trust policy decides by, beside what this token says.
func refusedAdvice(err *cloud.ExchangeRefusedError) string {
	if err.WrongAudience() {
		return fmt.Sprintf("The ID token is meant for %s, and has to be for %s: have the pipeline issue it with that audience.",
			strings.Join(err.Audiences, ", "), err.Exchange.Audience())
	}
	advice := fmt.Sprintf("Organization %q has to trust the token's issuer, with a policy that matches the token and allows a "+
		"token of the type %q", err.Exchange.Organization, err.Exchange.TokenType)
	if err.Exchange.Name != "" {
		advice += fmt.Sprintf(" for %q", err.Exchange.Name)
	}
	advice += ", in an edition of Pulumi Cloud that has tokens of that type."
	if err.Issuer != "" {
		advice += fmt.Sprintf(" This token's issuer is %s, its subject %s.", err.Issuer, err.Subject)
	}
	return advice + " It may also have expired."
}

// explainForeign is for answers that are not Pulumi Cloud's own, whose status says nothing about a pool.
func explainForeign(err *cloud.APIError) (title, advice string) {
	title = "Not an answer of Pulumi Cloud"
	if err.Location != "" {
		return title, fmt.Sprintf("What answered redirects to %s, where the access token is not sent. If that is the right "+
			"address, set api_url to it.", err.Location)
	}
	return title, "Something else answered in its place: api_url (or PULUMI_BACKEND_URL) may be wrong, or a proxy answered " +
		"instead of passing the request on. Nothing was removed from the state."
}

func explainTransport(err *cloud.TransportError) (title, advice string) {
	var (
		unknownAuthority x509.UnknownAuthorityError
		hostname         x509.HostnameError
		invalid          x509.CertificateInvalidError
		verification     *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "Interrupted", "The request was cancelled."
	case errors.As(err, &unknownAuthority):
		return "Certificate not trusted", "The server's certificate was issued by an authority that this system does not know. " +
			"For a self-hosted installation, set ca_cert_file to a PEM file with that authority's certificate."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "Certificate expired", "The server's certificate is expired or not valid yet: renew it, or check this machine's clock."
	case errors.As(err, &hostname):
		return "Certificate of another host", "The server's certificate was issued for another name. Check api_url's host."
	case errors.As(err, &verification):
		return "Certificate not trusted", ""
	case errors.Is(err, http.ErrSchemeMismatch):
		return "Server does not speak TLS", "The server answers in plain HTTP where api_url says https. Check its scheme and port."
	case err.Timeout > 0:
		return "No answer in time", fmt.Sprintf("No attempt was answered within %s (attempts: %d). Check the network, or raise "+
			"request_timeout.", err.Timeout, err.Attempts)
	}
	return "Pulumi Cloud can't be reached", "Check api_url, the network, and the proxy settings (HTTPS_PROXY, NO_PROXY)."
}

func existsAdvice(err *cloud.AgentPoolExistsError) string {
	advice := fmt.Sprintf("Names are unique, and organization %q has an agent pool named %q already.", err.Organization, err.Name)
	const rotation = "\n\nIf that pool is this resource's own, to be replaced with create_before_destroy, then the new one needs " +
		"another name: set name_prefix instead of name."
	if err.Existing == nil {
		return advice + " Choose another name, or import that pool." + rotation
	}
	return fmt.Sprintf("%s Choose another name, or manage that pool, whose id is %s, with Terraform by importing it:\n\n"+
		"  terraform import ADDRESS %s/%s\n\n"+
		"where ADDRESS is this resource's, such as pulumicloud_agent_pool.example. Its token can't be imported."+rotation,
		advice, err.Existing.ID, err.Organization, err.Existing.ID)
}

func unknownAdvice(err *cloud.UnknownOutcomeError) string {
	advice := "The request was sent and its answer was lost"
	switch {
	case err.Candidate != nil:
		return fmt.Sprintf("%s. Organization %q has an agent pool %q with the id %s, which may be the one: look at it in the "+
			"console, then delete it, or import it with\n\n  terraform import ADDRESS %s/%s\n\nwhere ADDRESS is this resource's. "+
			"A new pool's token is shown only once, so an imported one has none.",
			advice, err.Organization, err.Name, err.Candidate.ID, err.Organization, err.Candidate.ID)
	case err.LookupErr != nil:
		return fmt.Sprintf("%s, and so was the answer to the question whether organization %q has an agent pool %q now. Look in "+
			"the console, or run this again: if the pool exists, the error will say so, and how to import it.",
			advice, err.Organization, err.Name)
	}
	return fmt.Sprintf("%s. Organization %q had no agent pool %q when looked at just afterwards, so it most likely was not "+
		"created. Run this again: should the pool have appeared by then, the error will say so, and how to import it.",
		advice, err.Organization, err.Name)
}

// addTokenLost reports a pool that is in state without its token.
func addTokenLost(diagnostics *diag.Diagnostics, err *cloud.TokenLostError) {
	diagnostics.AddError("Agent pool created, but its token was lost",
		fmt.Sprintf("Agent pool %q was created in organization %q with the id %s, but the answer that held its token did not "+
			"arrive, and Pulumi Cloud shows a token only once. The pool is in the state, marked as tainted: the next apply replaces "+
			"it. To keep it without a token, run \"terraform untaint\" on it. If somebody else created a pool of this name and "+
			"description in the same moment it is theirs: take it out of the state with \"terraform state rm\".\n\n%s",
			err.Pool.Name, err.Organization, err.Pool.ID, report(err.Err)))
}

// addDeleteError reports a pool that was not deleted. Pulumi Cloud refuses with a 400, in changing words, to delete a
// pool that stacks use.
func addDeleteError(diagnostics *diag.Diagnostics, op operation, in inUseOperation, err error) {
	var api *cloud.APIError
	if in.forced || !errors.As(err, &api) || !api.FromPulumi || api.StatusCode != http.StatusBadRequest {
		addError(diagnostics, op, err)
		return
	}
	diagnostics.AddError("Agent pool in use",
		fmt.Sprintf("Could not delete agent pool %q: Pulumi Cloud refuses to, as it does while stacks' deployment settings name the "+
			"pool. Change those settings first, or set force_destroy = true and apply that before you destroy: what counts is the "+
			"value in the state. Stacks that use the pool then fall back to Pulumi-hosted runners.\n\n%s", in.pool, report(err)))
}

// report is what happened in the client's words, with what Pulumi's support asks for.
func report(err error) string {
	cause, then := err, error(nil)
	var unknown *cloud.UnknownOutcomeError
	var exists *cloud.AgentPoolExistsError
	var authentication *cloud.AuthenticationError
	switch { // Those that the advice has put in its own words already.
	case errors.As(err, &unknown):
		cause, then = unknown.Err, unknown.LookupErr
	case errors.As(err, &exists):
		cause = exists.Err
	case errors.As(err, &authentication):
		err = authentication.Err // Its details are the ones to tell.
	}
	lines := []string{"Cause: " + cause.Error()}
	if then != nil {
		lines = append(lines, "Then: "+then.Error())
	}
	if api, ok := errors.AsType[*cloud.APIError](err); ok {
		for _, detail := range api.Details {
			lines = append(lines, "- "+strings.Join(nonEmpty(detail.Resource, detail.Attribute, detail.Type, detail.Message), ": "))
		}
		if api.DocumentationURL != "" {
			lines = append(lines, "See "+api.DocumentationURL)
		}
	}
	return strings.Join(lines, "\n")
}

func nonEmpty(texts ...string) []string {
	var kept []string
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}

// addWarnings passes on what Pulumi Cloud wants the user to know.
func addWarnings(diagnostics *diag.Diagnostics, warnings *cloud.Warnings) {
	for _, text := range warnings.All() {
		diagnostics.AddWarning("Warning from Pulumi Cloud", text)
	}
}
