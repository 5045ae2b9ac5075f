package cloud

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
)

// EncryptedCredentialsError reports a credentials file that the Pulumi CLI has encrypted.
type EncryptedCredentialsError struct {
	Path string
}

func (e *EncryptedCredentialsError) Error() string {
	return fmt.Sprintf("The Pulumi credentials file %s is encrypted, and only the Pulumi CLI can read it. "+
		"Set PULUMI_ACCESS_TOKEN, and PULUMI_BACKEND_URL to the URL that the token belongs to (usually %s), "+
		"or access_token and api_url in the provider configuration.", e.Path, DefaultBaseURL)
}

// CredentialsFileError reports a credentials file that exists but cannot be read or understood.
type CredentialsFileError struct {
	Path string
	// Err says why. It holds nothing of the file's content.
	Err error
}

func (e *CredentialsFileError) Error() string {
	return fmt.Sprintf("The Pulumi credentials file %s cannot be used: %v. Repair it or run \"pulumi login\" again, "+
		"or do without it by setting both PULUMI_ACCESS_TOKEN and PULUMI_BACKEND_URL.", e.Path, e.Err)
}

func (e *CredentialsFileError) Unwrap() error { return e.Err }

// credentialsFile is what "pulumi login" writes. The maps' keys are backend URLs.
type credentialsFile struct {
	Current      string            `json:"current"`
	AccessTokens map[string]string `json:"accessTokens"`
	Accounts     map[string]struct {
		AccessToken string `json:"accessToken"`
	} `json:"accounts"`

	// SecureStore is the format version of an encrypted file, which has none of the other keys.
	SecureStore any `json:"$pulumiSecureStore"`

	path string
}

// readCredentialsFile returns an empty file if there is none. Its errors are [*EncryptedCredentialsError] and
// [*CredentialsFileError].
func readCredentialsFile(env Environment) (credentialsFile, error) {
	var file credentialsFile
	name, err := decodePulumiFile(env, "credentials.json", &file)
	file.path = name
	// An encrypted file's other keys may have types of their own.
	if file.SecureStore != nil {
		return credentialsFile{}, &EncryptedCredentialsError{Path: name}
	}
	if err != nil {
		return credentialsFile{}, &CredentialsFileError{Path: name, Err: err}
	}
	return file, nil
}

// accessToken returns the token stored for baseURL, or "".
func (f *credentialsFile) accessToken(baseURL *url.URL) string {
	for _, key := range keysOfBackend(f.AccessTokens, baseURL) {
		if token := f.AccessTokens[key]; token != "" {
			return token
		}
	}
	for _, key := range keysOfBackend(f.Accounts, baseURL) {
		if token := f.Accounts[key].AccessToken; token != "" {
			return token
		}
	}
	return ""
}

// backends returns the canonical URLs of the Pulumi Clouds that the file has tokens for, sorted.
func (f *credentialsFile) backends() []string {
	urls := make(map[string]struct{})
	add := func(key, token string) {
		if u, err := ParseBaseURL(key); err == nil && token != "" {
			urls[u.String()] = struct{}{}
		}
	}
	for key, token := range f.AccessTokens {
		add(key, token)
	}
	for key, account := range f.Accounts {
		add(key, account.AccessToken)
	}
	return slices.Sorted(maps.Keys(urls))
}
