// Package credentials finds the URL of Pulumi Cloud, the access token, the ID token and the default organization: in
// the provider block, in environment variables and in the files of the Pulumi CLI.
package credentials

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"strings"
	"unicode"
)

// Setting names a setting as users see it.
type Setting string

// The settings that a [SettingsError] can be about.
const (
	APIURL       Setting = "api_url"
	AccessToken  Setting = "access_token"
	Organization Setting = "organization"
	OIDC         Setting = "oidc"
)

// SettingsError reports a setting that is missing or cannot be used. It never contains a secret.
type SettingsError struct {
	Setting Setting
	Summary string // A diagnostic summary, such as "Invalid API URL".
	Source  string // Where the value was found or searched for, such as "PULUMI_ACCESS_TOKEN". Never empty.
	Err     error  // The problem, in full sentences that do not repeat Source and give no advice.
}

func (e *SettingsError) Error() string {
	return fmt.Sprintf("%s (%s): %v", e.Summary, e.Source, e.Err)
}

func (e *SettingsError) Unwrap() error { return e.Err }

// settingsErrorf returns a SettingsError with an Err that fmt.Errorf formats.
func settingsErrorf(setting Setting, summary, source, format string, args ...any) error {
	return &SettingsError{Setting: setting, Summary: summary, Source: source, Err: fmt.Errorf(format, args...)}
}

// Environment is where settings come from that the provider block does not have.
type Environment struct {
	Getenv      func(name string) string
	UserHomeDir func() (string, error)
	ReadFile    func(path string) ([]byte, error) // Errors do not contain the path.
}

// ProcessEnvironment returns the environment of this process.
func ProcessEnvironment() Environment {
	return Environment{Getenv: os.Getenv, UserHomeDir: os.UserHomeDir, ReadFile: ReadFile}
}

// Overrides are the values set in the provider block, "" for those that are not set.
type Overrides struct {
	APIURL, AccessToken, Organization string

	// AccessTokenOptional reports whether there is another way to authenticate. If so, the credentials file is not
	// searched for an access token, and a missing one is not an error.
	AccessTokenOptional bool
}

// Credentials say where Pulumi Cloud is and who calls it.
type Credentials struct {
	BaseURL       *url.URL // Canonical, as ParseBaseURL returns it.
	BaseURLSource string

	AccessToken       string // "" if it is missing, see Resolve.
	AccessTokenSource string
	// RenewedByCLI reports whether the access token belongs to an account in the credentials file that has a refresh
	// token. Such an access token is short-lived, and `pulumi whoami` renews it.
	RenewedByCLI bool
}

// value is a setting's value and its source. The zero value is not set.
type value struct{ text, source string }

func newValue(text, source string) value {
	if text == "" {
		return value{}
	}
	return value{text, source}
}

func (e Environment) variable(name string) value { return newValue(e.Getenv(name), name) }

// Resolve returns the URL of Pulumi Cloud and the access token. The URL is the first one of overrides,
// PULUMI_BACKEND_URL, the current backend in the credentials file, PULUMI_API and [DefaultBaseURL]. The access token is
// the first one of overrides, PULUMI_ACCESS_TOKEN and the one that the credentials file has for this URL. The file is
// read only if something is still missing.
//
// Every error is a [*SettingsError]. If only the access token is missing or invalid, Resolve returns the other
// credentials together with the error. The error for a missing one wraps [ErrNoAccessToken].
func Resolve(overrides Overrides, env Environment) (Credentials, error) {
	rawURL := cmp.Or(newValue(overrides.APIURL, "api_url in the provider block"), env.variable("PULUMI_BACKEND_URL"))
	token := cmp.Or(
		newValue(overrides.AccessToken, "access_token in the provider block"), env.variable("PULUMI_ACCESS_TOKEN"))
	searchToken := token == value{} && !overrides.AccessTokenOptional

	var file credentialsFile
	var err error
	if searchToken {
		file, err = readCredentialsFile(env, AccessToken)
	} else if rawURL == (value{}) {
		file, err = readCredentialsFile(env, APIURL)
	}
	if err != nil {
		return Credentials{}, err
	}
	rawURL = cmp.Or(
		rawURL,
		newValue(file.Current, "current in "+file.source),
		env.variable("PULUMI_API"),
		value{DefaultBaseURL, "the default"},
	)
	baseURL, err := parseBaseURL(rawURL)
	if err != nil {
		return Credentials{}, err
	}
	credentials := Credentials{BaseURL: baseURL, BaseURLSource: rawURL.source}

	if searchToken {
		stored, found := file.accounts()[baseURL.String()]
		if !found {
			return credentials, file.noAccessTokenError(env, baseURL)
		}
		token = value{stored.AccessToken, file.source}
		credentials.RenewedByCLI = stored.RefreshToken != ""
	}
	if token != (value{}) {
		credentials.AccessTokenSource = token.source
		credentials.AccessToken, err = checkAccessToken(token)
	}
	return credentials, err
}

// DefaultOrganization returns the default organization at baseURL and its source. It is the first one of overrides,
// PULUMI_DEFAULT_ORGANIZATION and the configuration file of the Pulumi CLI. Both are "" if only the API knows it. Every
// error is a [*SettingsError].
func DefaultOrganization(overrides Overrides, env Environment, baseURL *url.URL) (name, source string, err error) {
	organization := cmp.Or(
		newValue(overrides.Organization, "organization in the provider block"),
		newValue(strings.TrimSpace(env.Getenv("PULUMI_DEFAULT_ORGANIZATION")), "PULUMI_DEFAULT_ORGANIZATION"),
	)
	if organization == (value{}) {
		if organization, err = storedOrganization(env, baseURL); err != nil {
			return "", "", err
		}
	}
	name, source = organization.text, organization.source
	if LooksLikeToken(name) {
		return "", "", settingsErrorf(Organization, "Invalid organization", source, tokenShapeProblem)
	}
	if name == "." || name == ".." || strings.ContainsFunc(name, unicode.IsControl) {
		return "", "", settingsErrorf(Organization, "Invalid organization", source,
			"The value is a dot segment or contains a control character, so it cannot be the name of an organization.")
	}
	return name, source, nil
}
