package emulator

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Mode is a condition of the emulated account under which Pulumi Cloud responds differently.
type Mode string

// The modes. Any number of them can be on at once.
const (
	// ModeNoAgentPools402 and ModeNoAgentPools403 model an edition without agent pools. Pulumi documents 403 for
	// operations on pools and 402 for related operations, so that clients must expect both.
	ModeNoAgentPools402 Mode = "no-agent-pools-402"
	ModeNoAgentPools403 Mode = "no-agent-pools-403"
	// ModeDefaultOrganizationEmpty and ModeDefaultOrganization400 model a user who is in no organization, in the two
	// forms that Pulumi documents.
	ModeDefaultOrganizationEmpty Mode = "default-organization-empty"
	ModeDefaultOrganization400   Mode = "default-organization-400"
	// ModeDefaultOrganization404 models a self-hosted Pulumi Cloud that is older than the operation.
	ModeDefaultOrganization404 Mode = "default-organization-404"
	// ModeSAMLLogin models an expired single sign-on session. Requests to an organization fail with 401 although the
	// access token is valid.
	ModeSAMLLogin Mode = "saml-login"
	// ModeExpiryPolicy models an organization that limits the lifetime of access tokens. Requests to it fail with 403
	// because the access token exceeds the limit.
	ModeExpiryPolicy Mode = "expiry-policy"
)

// Modes returns all modes.
func Modes() []Mode {
	return []Mode{
		ModeNoAgentPools402, ModeNoAgentPools403, ModeDefaultOrganizationEmpty, ModeDefaultOrganization400,
		ModeDefaultOrganization404, ModeSAMLLogin, ModeExpiryPolicy,
	}
}

// SetModes turns these modes on and all others off.
func (s *Server) SetModes(modes ...Mode) error {
	for _, mode := range modes {
		if !slices.Contains(Modes(), mode) {
			return fmt.Errorf("unknown mode %q; the modes are %v", mode, Modes())
		}
	}
	s.modes.Store(&modes)
	return nil
}

func (s *Server) hasMode(mode Mode) bool { return slices.Contains(*s.modes.Load(), mode) }

// checkModes returns the error with which a mode makes all requests to an operation fail.
func (s *Server) checkModes(path, org string) error {
	switch {
	case org == "" || !strings.HasPrefix(path, "/api/"):
		return nil
	case s.hasMode(ModeSAMLLogin):
		err := errorf(http.StatusUnauthorized, "organization %q requires SAML single sign-on", org)
		err.Errors = []errorDetail{{Resource: "organization", Attribute: org, ErrorType: "saml_login_required"}}
		return err
	case s.hasMode(ModeExpiryPolicy):
		return errorf(http.StatusForbidden, "organization %q requires access tokens that expire within 30 days", org)
	case strings.Contains(path, "/agent-pools"):
		return s.checkEdition()
	default:
		return nil
	}
}

// checkEdition returns an error if the organization's edition has no agent pools.
func (s *Server) checkEdition() error {
	switch {
	case s.hasMode(ModeNoAgentPools402):
		return errorf(http.StatusPaymentRequired, "the subscription of the organization does not include agent pools")
	case s.hasMode(ModeNoAgentPools403):
		return errorf(http.StatusForbidden, "agent pools are not enabled for the organization")
	default:
		return nil
	}
}
