package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
)

// maxPulumiFileSize, in bytes, is far above what the Pulumi CLI writes.
const maxPulumiFileSize = 1 << 20

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

// ConfigFileError reports a Pulumi CLI configuration file that exists but cannot be read or understood.
type ConfigFileError struct {
	Path string
	// Err says why. It holds nothing of the file's content.
	Err error
}

func (e *ConfigFileError) Error() string {
	return fmt.Sprintf("The Pulumi configuration file %s, which may name the default organization, cannot be used: %v. "+
		"Repair it, or do without it by setting organization or PULUMI_DEFAULT_ORGANIZATION.", e.Path, e.Err)
}

func (e *ConfigFileError) Unwrap() error { return e.Err }

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

// configFile is what "pulumi org set-default" writes. The map's keys are backend URLs.
type configFile struct {
	Backends map[string]struct {
		DefaultOrg string `json:"defaultOrg"`
	} `json:"backends"`
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

// readConfigFile returns an empty file if there is none. Its error is a [*ConfigFileError].
func readConfigFile(env Environment) (configFile, error) {
	var file configFile
	if name, err := decodePulumiFile(env, "config.json", &file); err != nil {
		return configFile{}, &ConfigFileError{Path: name, Err: err}
	}
	return file, nil
}

// defaultOrganization returns the organization stored for baseURL, or "".
func (f *configFile) defaultOrganization(baseURL *url.URL) string {
	for _, key := range keysOfBackend(f.Backends, baseURL) {
		if organization := f.Backends[key].DefaultOrg; organization != "" {
			return organization
		}
	}
	return ""
}

// keysOfBackend returns those keys of entries that mean baseURL, sorted so that a file with several spellings of one
// URL always gives the same answer.
func keysOfBackend[Entry any](entries map[string]Entry, baseURL *url.URL) []string {
	var keys []string
	for key := range entries {
		if u, err := ParseBaseURL(key); err == nil && u.String() == baseURL.String() {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// decodePulumiFile decodes a file in the Pulumi CLI's folder and returns its path, which is "" where there is no home
// directory. A missing file leaves target as it is. The error holds nothing of the file's content: encoding/json quotes
// bytes, numbers and keys, any of which may be part of a token.
func decodePulumiFile(env Environment, base string, target any) (string, error) {
	dir := pulumiDir(env)
	if dir == "" {
		return "", nil
	}
	name := filepath.Join(dir, base)
	data, err := env.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return name, pathErr.Err
	}
	if err != nil {
		return name, err
	}

	err = json.Unmarshal(data, target)
	if syntaxErr, ok := errors.AsType[*json.SyntaxError](err); ok {
		return name, fmt.Errorf("it is not valid JSON (at byte %d)", syntaxErr.Offset)
	}
	if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return name, fmt.Errorf("it holds a JSON value of an unexpected type (at byte %d)", typeErr.Offset)
	}
	if err != nil {
		return name, errors.New("it cannot be decoded")
	}
	return name, nil
}

// pulumiDir returns the folder in which the Pulumi CLI keeps its files, or "" where there is no home directory, as in
// many containers: nobody has logged in there.
func pulumiDir(env Environment) string {
	for _, variable := range []string{"PULUMI_CREDENTIALS_PATH", "PULUMI_HOME"} {
		if dir := env.Getenv(variable); dir != "" {
			return dir
		}
	}
	home, err := env.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".pulumi")
}

// readPulumiFile reads a regular file of bounded size.
func readPulumiFile(name string) ([]byte, error) {
	// Opening a named pipe would wait for a writer.
	if info, err := os.Stat(name); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxPulumiFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxPulumiFileSize {
		return nil, fmt.Errorf("it is larger than %d bytes", maxPulumiFileSize)
	}
	return data, nil
}
