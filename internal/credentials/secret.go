package credentials

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const (
	maxBytes          = 1 << 20  // The maximum of a file or a response, far above what is usual.
	maxSecretBytes    = 64 << 10 // The maximum of a token.
	quotes            = "\"'`"
	tokenShapeProblem = "The value looks like a token, so it is neither shown nor used."
)

var (
	jwt        = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)
	tokenShape = regexp.MustCompile(`^(?i:pul-[0-9a-f]{8,})$|^eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)
)

// LooksLikeToken reports whether a value that is not meant to be a token has the shape of an access token or of a JSON
// Web Token. White space and quotation marks around it are ignored.
func LooksLikeToken(value string) bool {
	return tokenShape.MatchString(strings.Trim(value, quotes+" \t\r\n"))
}

// checkSecret returns a secret without the white space around it, such as the line break at the end of a mounted file.
// Its error is the predicate of a sentence about the secret.
func checkSecret(secret string) (string, error) {
	if encoding := byteOrderMark(secret); encoding != "" {
		return "", fmt.Errorf("starts with a byte-order mark (%s)", encoding)
	}
	secret = strings.TrimSpace(secret)
	switch {
	case secret == "":
		return "", errors.New("is blank")
	case len(secret) > maxSecretBytes:
		return "", fmt.Errorf("is longer than %d bytes", maxSecretBytes)
	case strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", errors.New("contains a control character or a character outside ASCII")
	}
	return secret, nil
}

func checkAccessToken(token value) (string, error) {
	checked, err := checkSecret(token.text)
	if err == nil && strings.ContainsAny(checked, quotes+" ") {
		err = errors.New("contains quotation marks or white space, which are never part of an access token")
	}
	if err != nil {
		return "", settingsErrorf(AccessToken, "Invalid access token", token.source, "The access token %w.", err)
	}
	return checked, nil
}

func checkIDToken(token value) (string, error) {
	checked, err := checkSecret(token.text)
	if err == nil && !jwt.MatchString(checked) {
		err = errors.New("is not a JSON Web Token, which has three base64url parts separated by dots")
	}
	if err != nil {
		return "", settingsErrorf(OIDC, "Invalid ID token", token.source, "The ID token %w.", err)
	}
	return checked, nil
}

// byteOrderMark returns the encoding that the byte-order mark at the start of text indicates, or "".
func byteOrderMark(text string) string {
	switch {
	case strings.HasPrefix(text, "\xef\xbb\xbf"):
		return "UTF-8"
	case strings.HasPrefix(text, "\xff\xfe"):
		return "UTF-16 little endian"
	case strings.HasPrefix(text, "\xfe\xff"):
		return "UTF-16 big endian"
	}
	return ""
}
