package credentials

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// DefaultBaseURL is the URL of the Pulumi Cloud that Pulumi hosts.
const DefaultBaseURL = "https://api.pulumi.com"

// ParseBaseURL returns the canonical form of a Pulumi Cloud URL, which is the same for all URLs of a backend: scheme
// and host in lower case, no default port, and a path prefix without a trailing slash or /api. API paths, which start
// with /api, are relative to it. Every error is a [*SettingsError] that does not quote the URL.
func ParseBaseURL(raw string) (*url.URL, error) {
	return parseBaseURL(value{raw, "api_url in the provider block"})
}

func parseBaseURL(rawURL value) (*url.URL, error) {
	raw := strings.TrimSpace(rawURL.text)
	invalid := func(problem string) (*url.URL, error) {
		return nil, settingsErrorf(APIURL, "Invalid API URL", rawURL.source, "%s", problem)
	}

	// DIY backends come before url.Parse, which rejects URLs that the Pulumi CLI accepts, such as file://C:\state.
	scheme, _, found := strings.Cut(strings.ToLower(raw), ":")
	switch {
	case raw == "":
		return invalid("The URL is blank.")
	case LooksLikeToken(raw):
		return invalid(tokenShapeProblem)
	case found && slices.Contains([]string{"s3", "gs", "azblob", "file"}, scheme):
		return nil, settingsErrorf(APIURL, "Backend is not Pulumi Cloud", rawURL.source,
			"The URL selects a DIY backend (%s), but only Pulumi Cloud has agent pools.", scheme)
	case !slices.Contains([]string{"http", "https"}, scheme), !strings.Contains(raw, "://"):
		return invalid("The URL must start with https:// or http://." + schemeHint(raw))
	}

	u, err := url.Parse(raw)
	if err != nil {
		return invalid("The URL is malformed.") // err quotes the URL.
	}
	host, validHost := canonicalHost(u.Hostname())
	port, portErr := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case u.User != nil:
		return invalid("The URL contains a user name or a password.")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return invalid("The URL contains a query or a fragment.")
	case slices.ContainsFunc(append(strings.Split(u.Path, "/"), u.Hostname()), LooksLikeToken):
		return invalid("The URL contains a token.")
	case !validHost:
		return invalid("The URL requires a host name or an IP address (an internationalized name in its xn-- form).")
	case u.Port() != "" && (portErr != nil || port == 0):
		return invalid("The port of the URL is not between 1 and 65535.")
	// A server may read an escaped dot segment or slash differently than path.Clean.
	case u.RawPath != "" || strings.Contains(u.EscapedPath(), "%"):
		return invalid("The path of the URL contains characters that require escaping.")
	}

	defaultPort := map[string]uint64{"http": 80, "https": 443}[u.Scheme]
	if u.Port() != "" && port != defaultPort {
		host = fmt.Sprintf("%s:%d", host, port)
	}
	prefix := path.Clean("/" + u.Path)
	for path.Base(prefix) == "api" {
		prefix = path.Dir(prefix)
	}
	return &url.URL{Scheme: u.Scheme, Host: host, Path: strings.TrimSuffix(prefix, "/")}, nil
}

// IsPlaintext reports whether requests to u, including tokens, cross a network without encryption. Plain HTTP to a
// loopback host does not count.
func IsPlaintext(u *url.URL) bool {
	return u.Scheme == "http" && !isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// hostName matches ASCII names only, so that case folding or Unicode normalization cannot turn two hosts into one.
var hostName = regexp.MustCompile(`^([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?$`)

// canonicalHost returns a DNS name in lower case, or an IPv6 address in brackets and in its shortest form.
func canonicalHost(host string) (canonical string, ok bool) {
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is6() {
		return "[" + addr.String() + "]", addr.Zone() == ""
	}
	return strings.ToLower(host), hostName.MatchString(host)
}

// schemeHint suggests a URL for raw, which has no scheme. It must not quote a token in the wrong setting, so it returns
// "" unless raw is clearly a host: access tokens start with pul- and have no dot, and ID tokens have capital letters.
func schemeHint(raw string) string {
	u, err := ParseBaseURL("https://" + strings.TrimLeft(raw, "/"))
	if err != nil || u.Path != "" || raw != strings.ToLower(raw) || strings.Contains(raw, "pul-") {
		return ""
	}
	if u.Hostname() == "app.pulumi.com" { // the console
		return fmt.Sprintf(" Did you mean %s?", DefaultBaseURL)
	}
	if isLoopback(u.Hostname()) {
		u.Scheme = "http"
	} else if !strings.Contains(u.Host, ".") {
		return ""
	}
	return fmt.Sprintf(" Did you mean %s?", u)
}
