package cloud

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
)

// Settings say where Pulumi Cloud is and who calls it.
type Settings struct {
	// BaseURL is canonical, as [ParseBaseURL] returns it.
	BaseURL *url.URL
	// AccessToken is empty only if [Overrides.AccessTokenOptional] is set.
	AccessToken string
}

// Overrides are settings given explicitly, which win over all others. Empty ones are not given.
type Overrides struct {
	APIURL       string
	AccessToken  string
	Organization string

	// AccessTokenOptional is for callers with another way to authenticate: no credentials file is searched for a
	// token, and its absence is no error.
	AccessTokenOptional bool
}

// Environment is what settings are resolved from where overrides are silent.
type Environment struct {
	// Getenv returns "" for a variable that is not set, as [os.Getenv] does.
	Getenv func(name string) string
	// UserHomeDir is asked only if no variable names the Pulumi CLI's folder.
	UserHomeDir func() (string, error)
	// ReadFile returns an error that wraps [io/fs.ErrNotExist] for a missing file.
	ReadFile func(name string) ([]byte, error)
}

// ProcessEnvironment returns the environment of this process. Its ReadFile refuses files above 1 MiB and all that are
// not regular files.
func ProcessEnvironment() Environment {
	return Environment{Getenv: os.Getenv, UserHomeDir: os.UserHomeDir, ReadFile: readSmallFile}
}

// MissingTokenError reports that nothing gives an access token for the URL in force.
type MissingTokenError struct {
	BaseURL string
	// CredentialsPath is the credentials file that was searched, or "" where there is no home directory.
	CredentialsPath string
	// OtherBackends are the URLs that the credentials file does have tokens for.
	OtherBackends []string
}

func (e *MissingTokenError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "There is no access token for %[1]s. "+
		"Set access_token or PULUMI_ACCESS_TOKEN, or run \"pulumi login %[1]s\".", e.BaseURL)
	if len(e.OtherBackends) > 0 {
		fmt.Fprintf(&b, " The credentials file %s has tokens only for %s; to use one of these, set api_url.",
			e.CredentialsPath, strings.Join(e.OtherBackends, ", "))
	}
	return b.String()
}

// InvalidTokenError reports an access token that cannot be sent in an HTTP header. It does not hold the token.
type InvalidTokenError struct {
	// Source names the setting or the file that holds the token.
	Source string
	// Reason completes the sentence "the token …".
	Reason string
}

func (e *InvalidTokenError) Error() string {
	return fmt.Sprintf("The access token from %s %s. Check that the whole token was copied, and nothing else.",
		e.Source, e.Reason)
}

// ResolveSettings finds each setting in the overrides, else in the environment's variables, else in the files of the
// Pulumi CLI, which it reads only for what is still missing. A token from the credentials file is used only with the
// URL that it is stored for.
//
// Errors are [*InvalidURLError], [*DIYBackendError], [*MissingTokenError], [*InvalidTokenError],
// [*EncryptedCredentialsError] and [*CredentialsFileError]. None holds a token.
func ResolveSettings(overrides Overrides, env Environment) (Settings, error) {
	credentials := sync.OnceValues(func() (credentialsFile, error) { return readCredentialsFile(env) })

	baseURL, err := resolveBaseURL(overrides, env, credentials)
	if err != nil {
		return Settings{}, err
	}
	token, err := resolveAccessToken(overrides, env, credentials, baseURL)
	if err != nil {
		return Settings{}, err
	}
	return Settings{BaseURL: baseURL, AccessToken: token}, nil
}

func resolveBaseURL(
	overrides Overrides, env Environment, credentials func() (credentialsFile, error),
) (*url.URL, error) {
	if overrides.APIURL != "" {
		return parseBaseURL(overrides.APIURL, "api_url")
	}
	if fromEnv := env.Getenv("PULUMI_BACKEND_URL"); fromEnv != "" {
		return parseBaseURL(fromEnv, "PULUMI_BACKEND_URL")
	}
	file, err := credentials()
	if err != nil {
		return nil, err
	}
	if file.Current != "" {
		return parseBaseURL(file.Current, fmt.Sprintf("\"current\" in %s", file.path))
	}
	return ParseBaseURL(DefaultBaseURL)
}

func resolveAccessToken(
	overrides Overrides, env Environment, credentials func() (credentialsFile, error), baseURL *url.URL,
) (string, error) {
	if overrides.AccessToken != "" {
		return checkAccessToken(overrides.AccessToken, "access_token")
	}
	if fromEnv := env.Getenv("PULUMI_ACCESS_TOKEN"); fromEnv != "" {
		return checkAccessToken(fromEnv, "PULUMI_ACCESS_TOKEN")
	}
	if overrides.AccessTokenOptional {
		return "", nil
	}
	file, err := credentials()
	if err != nil {
		return "", err
	}
	if stored := file.accessToken(baseURL); stored != "" {
		return checkAccessToken(stored, file.path)
	}
	return "", &MissingTokenError{
		BaseURL: baseURL.String(), CredentialsPath: file.path, OtherBackends: file.backends(),
	}
}

// ResolveOrganization returns the default organization at the URL in force, apart from the rest since many runs never
// need it. It is empty if neither the overrides, the environment nor the Pulumi CLI's configuration names one: only the
// API knows it then ([Client.DefaultOrganization]). The only error is *[ConfigFileError].
func ResolveOrganization(overrides Overrides, env Environment, baseURL *url.URL) (string, error) {
	if overrides.Organization != "" {
		return overrides.Organization, nil
	}
	if fromEnv := strings.TrimSpace(env.Getenv("PULUMI_DEFAULT_ORGANIZATION")); fromEnv != "" {
		return fromEnv, nil
	}
	file, err := readConfigFile(env)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(file.defaultOrganization(baseURL)), nil
}

// checkAccessToken returns the token without the white space around it, such as the newline at the end of a file that a
// secret was mounted in. Characters that could not be part of an HTTP header are refused.
func checkAccessToken(token, source string) (string, error) {
	token = strings.TrimSpace(token)
	if token == "" {
		return "", &InvalidTokenError{Source: source, Reason: "is blank"}
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", &InvalidTokenError{
			Source: source, Reason: "contains white space, a control character or a character outside ASCII",
		}
	}
	return token, nil
}
