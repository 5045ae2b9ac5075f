package emulator

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// TokenType is a type of access token that an ID token can be exchanged for.
type TokenType string

// The types of access tokens. A runner token permits no operation that users have.
const (
	TokenTypeOrganization TokenType = "organization"
	TokenTypeTeam         TokenType = "team"
	TokenTypePersonal     TokenType = "personal"
	TokenTypeRunner       TokenType = "runner"
)

// scopePrefixes are what precedes the name in a scope. The scope of an organization token has no name.
var scopePrefixes = map[TokenType]string{
	TokenTypeOrganization: "",
	TokenTypeTeam:         "team:",
	TokenTypePersonal:     "user:",
	TokenTypeRunner:       "runner:",
}

// TrustPolicy is an authorization policy of an OpenID Connect issuer that is registered with organizations. An ID token
// is exchanged if a policy allows it and none denies it, so that an issuer without policies grants nothing.
//
// Organization, Subject and Names are patterns. In a pattern, * matches any text, ? zero or one character and . exactly
// one character.
type TrustPolicy struct {
	// Organization matches the names of organizations. Required.
	Organization string
	// Issuer is the URL of the issuer as in its ID tokens. Required.
	Issuer string
	// Deny denies the ID tokens that the policy matches. Otherwise it allows them.
	Deny bool
	// Subject matches the subjects of ID tokens. Required.
	Subject string
	// TokenTypes are the types of access tokens that the policy concerns. Required.
	TokenTypes []TokenType
	// Names match the names of teams, users and runners that the policy concerns.
	Names []string
	// AllowAdmin allows organization tokens with the scope "admin".
	AllowAdmin bool
}

func (p *TrustPolicy) validate() error {
	if p.Organization == "" || p.Issuer == "" || p.Subject == "" || len(p.TokenTypes) == 0 {
		return errors.New("an organization, an issuer, a subject and a token type are required")
	}
	for _, tokenType := range p.TokenTypes {
		if _, ok := scopePrefixes[tokenType]; !ok {
			return fmt.Errorf("unknown token type %q", tokenType)
		}
	}
	return nil
}

// matchPattern reports whether a pattern of a policy matches all of the text.
func matchPattern(pattern, text string) bool {
	expression := strings.NewReplacer(`\*`, `.*`, `\?`, `.?`, `\.`, `.`).Replace(regexp.QuoteMeta(pattern))
	// A quoted pattern always compiles.
	return regexp.MustCompile(`(?s)^` + expression + `$`).MatchString(text)
}

// matches reports whether the policy concerns a token with this scope for the subject.
func (p *TrustPolicy) matches(subject string, tokenType TokenType, scope string) bool {
	if !matchPattern(p.Subject, subject) || !slices.Contains(p.TokenTypes, tokenType) {
		return false
	}
	if tokenType == TokenTypeOrganization {
		return scope == "" || (scope == "admin" && (p.AllowAdmin || p.Deny))
	}
	name, ok := strings.CutPrefix(scope, scopePrefixes[tokenType])
	return ok && slices.ContainsFunc(p.Names, func(pattern string) bool { return matchPattern(pattern, name) })
}

// authorize returns an error unless a policy allows the token and none denies it.
func authorize(policies []TrustPolicy, subject string, tokenType TokenType, scope string) error {
	allowed := false
	for i := range policies {
		if !policies[i].matches(subject, tokenType, scope) {
			continue
		}
		if policies[i].Deny {
			return oauthErrorf("access_denied", "a policy denies subject %q", subject)
		}
		allowed = true
	}
	if !allowed {
		return oauthErrorf("access_denied", "no policy allows subject %q a token of type %s with scope %q",
			subject, tokenType, scope)
	}
	return nil
}
