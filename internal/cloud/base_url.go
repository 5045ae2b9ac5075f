package cloud

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// DefaultBaseURL is the service that Pulumi runs itself.
const DefaultBaseURL = "https://api.pulumi.com"

// InvalidURLError reports a base URL that cannot be used. It never quotes the URL, which may hold a password.
type InvalidURLError struct {
	// Source names the setting that holds the URL, such as "api_url" or "PULUMI_BACKEND_URL".
	Source string
	// Reason completes the sentence "the URL …".
	Reason string
}

func (e *InvalidURLError) Error() string {
	return fmt.Sprintf("The Pulumi Cloud URL from %s is not valid: it %s. It should look like %s.",
		e.Source, e.Reason, DefaultBaseURL)
}

// DIYBackendError reports a backend that keeps Pulumi state in a bucket or a folder: it is not Pulumi Cloud and has
// no agent pools.
type DIYBackendError struct {
	// Scheme is the URL's: s3, gs, azblob or file. The rest may hold credentials and is not kept.
	Scheme string
	// Source names the setting that holds the URL, such as "api_url" or "PULUMI_BACKEND_URL".
	Source string
}

func (e *DIYBackendError) Error() string {
	return fmt.Sprintf("The URL from %s selects a DIY backend (%s), but only Pulumi Cloud has agent pools. "+
		"Set api_url or PULUMI_BACKEND_URL to the URL of a Pulumi Cloud, such as %s.", e.Source, e.Scheme, DefaultBaseURL)
}

// ParseBaseURL returns the canonical form of a Pulumi Cloud URL, below which every API path starts with /api: scheme
// and host in lower case, neither the scheme's default port nor a trailing slash or /api, an optional path prefix. Two
// URLs mean the same backend exactly if their canonical forms are equal.
//
// The error is a [*DIYBackendError] or an [*InvalidURLError].
func ParseBaseURL(raw string) (*url.URL, error) {
	return parseBaseURL(raw, "the configuration")
}

func parseBaseURL(raw, source string) (*url.URL, error) {
	raw = strings.TrimSpace(raw)
	invalid := func(reason string) (*url.URL, error) {
		return nil, &InvalidURLError{Source: source, Reason: reason}
	}
	if raw == "" {
		return invalid("is blank")
	}

	// Before url.Parse, which refuses what the Pulumi CLI accepts here, such as file://C:\state.
	if scheme, _, found := strings.Cut(strings.ToLower(raw), ":"); found {
		switch scheme {
		case "s3", "gs", "azblob", "file":
			return nil, &DIYBackendError{Scheme: scheme, Source: source}
		}
	}

	if !strings.Contains(raw, "://") {
		return invalid("must start with https:// or http://" + schemeHint(raw))
	}
	u, err := url.Parse(raw)
	if err != nil {
		return invalid("is malformed") // err quotes the URL
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return invalid("must start with https:// or http://")
	}
	if u.User != nil {
		return invalid("must not hold a user name or password; the access token is a setting of its own")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return invalid("must end with its path, without a query or a fragment")
	}

	host, ok := canonicalHost(u.Hostname())
	if !ok {
		return invalid("needs a host name or an IP address (an internationalized name in its xn-- form)")
	}
	port := u.Port()
	if port != "" {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return invalid("has a port that is not between 1 and 65535")
		}
		port = strconv.FormatUint(number, 10)
	}
	if u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		port = ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}

	// Escapes could spell a dot segment or a slash that a server reads differently than path.Clean does.
	if u.RawPath != "" || strings.Contains(u.EscapedPath(), "%") {
		return invalid("has a path with characters that need escaping")
	}
	prefix := path.Clean("/" + u.Path)
	for path.Base(prefix) == "api" {
		prefix = path.Dir(prefix)
	}
	if prefix == "/" {
		prefix = ""
	}
	return &url.URL{Scheme: u.Scheme, Host: host, Path: prefix}, nil
}

// PlainHTTP reports whether requests to u, tokens included, cross a network without encryption: plain HTTP to anything
// but a loopback host.
func PlainHTTP(u *url.URL) bool {
	return u.Scheme == "http" && !isLoopback(u.Hostname())
}

func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// canonicalHost returns an IP address in its shortest form, or a DNS name in lower case. Everything but plain ASCII
// names is refused, so that two hosts cannot become one by case folding or Unicode normalization.
func canonicalHost(host string) (string, bool) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.String(), addr.Zone() == ""
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInHostLabel) {
			return "", false
		}
	}
	return strings.ToLower(host), true
}

func notInHostLabel(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// schemeHint suggests the URL that raw, which lacks a scheme, stands for. A token pasted into the wrong setting must
// not be echoed, so it stays silent unless raw is clearly a host: Pulumi's tokens have no dot, and JWTs have capitals.
func schemeHint(raw string) string {
	u, err := ParseBaseURL("https://" + strings.TrimLeft(raw, "/"))
	if err != nil || u.Path != "" || raw != strings.ToLower(raw) {
		return ""
	}
	host := u.Hostname()
	if isLoopback(host) {
		u.Scheme = "http"
	} else if !strings.Contains(host, ".") {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", u)
}
