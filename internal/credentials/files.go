package credentials

import (
	"bytes"
	"cmp"
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
	"strings"
	"syscall"
)

// Errors that a [SettingsError] wraps, because their advice differs.
var (
	// ErrNoAccessToken indicates that no source has an access token.
	ErrNoAccessToken = errors.New("no access token")
	// ErrEncrypted indicates a file that only the Pulumi CLI can decrypt.
	ErrEncrypted = errors.New("file is encrypted, and only the Pulumi CLI can read it")
	// ErrNoPipeline indicates that the environment has no ID token of a pipeline.
	ErrNoPipeline = errors.New("environment has no ID token of a pipeline")
)

// credentialsFile is the file that `pulumi login` writes. The keys of its maps are URLs.
type credentialsFile struct {
	Current      string             `json:"current"`
	Accounts     map[string]account `json:"accounts"`
	AccessTokens map[string]string  `json:"accessTokens"`

	// SecureStore is the format version of an encrypted file.
	SecureStore any `json:"$pulumiSecureStore"`

	source string
	exists bool
}

type account struct {
	AccessToken  string `json:"accessToken"`
	RefreshToken string `json:"refreshToken"`
}

// readCredentialsFile returns an empty file if there is none. Its errors are about the setting that requires the file.
func readCredentialsFile(env Environment, setting Setting) (credentialsFile, error) {
	var file credentialsFile
	var err error
	file.source, file.exists, err = decodePulumiFile(env, "credentials", setting, &file)
	if file.SecureStore != nil { // Takes precedence over err, because other keys may have values of unexpected types.
		err = settingsErrorf(setting, "Credentials file is encrypted", file.source, "The %w.", ErrEncrypted)
	}
	return file, err
}

// accounts returns the accounts with an access token by their canonical URLs. Like the Pulumi CLI, it prefers accounts
// over accessTokens. Of two spellings of a URL, the first in sort order wins.
func (f *credentialsFile) accounts() map[string]account {
	accounts := make(map[string]account)
	add := func(key string, stored account) {
		if u, err := ParseBaseURL(key); err == nil && stored.AccessToken != "" && accounts[u.String()] == (account{}) {
			accounts[u.String()] = stored
		}
	}
	for _, key := range slices.Sorted(maps.Keys(f.Accounts)) {
		add(key, f.Accounts[key])
	}
	for _, key := range slices.Sorted(maps.Keys(f.AccessTokens)) {
		add(key, account{AccessToken: f.AccessTokens[key]})
	}
	return accounts
}

func (f *credentialsFile) noAccessTokenError(env Environment, baseURL *url.URL) error {
	dir := pulumiDir(env)
	reason := fmt.Sprintf("%s has no access tokens", f.source)
	switch urls := slices.Sorted(maps.Keys(f.accounts())); {
	case dir.text == "":
		reason = "there is no home directory that could contain a credentials file"
	case !f.exists && strings.TrimLeft(dir.text, "~"+quotes) != dir.text:
		reason = fmt.Sprintf("%s does not exist (the path in %s starts with a tilde or a quotation mark)", f.source, dir.source)
	case !f.exists:
		reason = fmt.Sprintf("%s does not exist", f.source)
	case len(urls) > 0:
		reason = fmt.Sprintf("%s only has access tokens for %s", f.source, strings.Join(urls, ", "))
	}
	return settingsErrorf(AccessToken, "Missing access token", f.source,
		"There is %w for %s: access_token and PULUMI_ACCESS_TOKEN are not set, and %s.", ErrNoAccessToken, baseURL, reason)
}

// storedOrganization returns the organization that `pulumi org set-default` stored for baseURL.
func storedOrganization(env Environment, baseURL *url.URL) (value, error) {
	var file struct {
		Backends map[string]struct {
			DefaultOrg string `json:"defaultOrg"`
		} `json:"backends"`
	}
	source, _, err := decodePulumiFile(env, "config", Organization, &file)
	if err != nil {
		return value{}, err
	}
	for _, key := range slices.Sorted(maps.Keys(file.Backends)) {
		organization := strings.TrimSpace(file.Backends[key].DefaultOrg)
		if u, err := ParseBaseURL(key); err == nil && u.String() == baseURL.String() && organization != "" {
			return value{organization, source}, nil
		}
	}
	return value{}, nil
}

// decodePulumiFile decodes the credentials or config file of the Pulumi CLI into content. Without a file, or with an
// empty one, it leaves content unchanged. The error contains nothing from the file, whereas the errors of encoding/json
// quote bytes, numbers and keys, which can be parts of a token.
func decodePulumiFile(
	env Environment, kind string, setting Setting, content any,
) (source string, exists bool, err error) {
	dir := pulumiDir(env)
	path := filepath.Join(dir.text, kind+".json")
	source = fmt.Sprintf("the %s file %s", kind, path)
	if dir.text == "" {
		return source, false, nil
	}
	summary := fmt.Sprintf("Error reading %s file", kind)
	data, err := env.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return source, false, nil
	case err != nil:
		err = settingsErrorf(setting, summary, source, "The file cannot be read: %w.", err)
	case len(data) > 0 && json.Unmarshal(data, content) != nil:
		err = settingsErrorf(setting, summary, source, "The file is not valid JSON or contains unexpected values.")
	}
	return source, true, err
}

// pulumiDir returns the directory of the Pulumi CLI's files. Its source is the variable that sets it, or "" for the
// default. Both are "" without a home directory, as in many containers.
func pulumiDir(env Environment) value {
	dir := cmp.Or(env.variable("PULUMI_CREDENTIALS_PATH"), env.variable("PULUMI_HOME"))
	if home, err := env.UserHomeDir(); err == nil && dir == (value{}) {
		dir.text = filepath.Join(home, ".pulumi")
	}
	return dir
}

// ReadFile reads a regular file of at most 1 MiB. It drops a UTF-8 byte-order mark, and reports an error for one of
// another encoding. Errors do not contain the path, because the texts that quote them name the file.
func ReadFile(path string) ([]byte, error) {
	// Without O_NONBLOCK, opening a named pipe waits for a writer.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("larger than %d bytes", maxBytes)
	}
	if encoding := byteOrderMark(string(data)); encoding != "" && encoding != "UTF-8" {
		return nil, fmt.Errorf("encoded in %s instead of UTF-8", encoding)
	}
	return bytes.TrimPrefix(data, []byte("\ufeff")), nil
}

// withoutPath returns the cause of an [*fs.PathError].
func withoutPath(err error) error { return cmp.Or(errors.Unwrap(err), err) }
