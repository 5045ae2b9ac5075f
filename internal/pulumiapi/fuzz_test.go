package pulumiapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// respondWith makes a client receive a body with a status, without a connection.
type respondWith struct {
	status int
	header http.Header
	body   []byte
}

func (r respondWith) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: r.status, Header: r.header, Body: io.NopCloser(strings.NewReader(string(r.body)))}, nil
}

func fuzzClient(f *testing.F) *Client {
	f.Helper()
	return newClient(f, nil, func(config *Config) {
		config.BaseURL, config.MaxRetries = &url.URL{Scheme: "http", Host: "example.com"}, 0
	})
}

func expectPrintable(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) ||
			strings.Contains(text, testToken) || utf8.RuneCountInString(text) > 3*maxTextRunes+200 {
			t.Errorf("%q is not safe to print", text)
		}
	}
}

// expectUnexpectedBody accepts the errors for a body that is not as described.
func expectUnexpectedBody(t *testing.T, err error) {
	t.Helper()
	if response, ok := errors.AsType[*ResponseError](err); !ok || response.Reason == "" {
		t.Errorf("got %v, want a ResponseError", err)
	}
	expectPrintable(t, err.Error())
}

func FuzzErrorBody(f *testing.F) {
	for _, body := range []string{
		`{"code":404,"message":"Not Found: no"}`, `{"code":400,"message":"Bad Request"}`, `{"code":"404","message":"x"}`,
		`{"code":404,"message":"x","documentationUrl":"https://x","errors":[{"resource":"r","attribute":"a","errorType":"t"}]}`,
		`{"code":404,"message":"x","errors":{}}`, `{"code":404,"message":7}`, `{"code":404}`, `[]`, `null`, ``, `<html>`,
		`{"code":404,"message":"` + "\u202e" + testToken + `"}`, `{"code":404,"message":"x"} trailing`, `{"error":"x"}`,
		`{"CODE":404,"Message":"x"}`, `{"code":404,"message":"\u001b[2J"}`, `{"code":4.04e2,"message":"x"}`,
	} {
		f.Add([]byte(body), "application/json", "request-1")
	}
	long := strings.Repeat("long ", 2000)
	details := strings.Repeat(`{"customMessage":"`+long+`"},`, 2*maxErrorDetails)
	f.Add([]byte(`{"code":404,"message":"`+long+`","documentationUrl":"`+long+`","errors":[`+details+`{}]}`), long, long)
	f.Add([]byte("{"), "text/html; charset="+testToken, testToken)
	c := fuzzClient(f)
	f.Fuzz(func(t *testing.T, body []byte, contentType, requestID string) {
		c.http.Transport = respondWith{http.StatusNotFound, http.Header{
			"Content-Type": {contentType}, "X-Pulumi-Request-Id": {requestID}, "Location": {contentType}, "X-Pulumi-Warning": {requestID},
		}, body}
		c.lists.invalidate("acme")
		_, _, err := c.GetAgentPool(t.Context(), "acme", poolID)
		api := expectError[*APIError](t, err)
		// The list has the same response.
		if api.IsAPIResponse != isA[*OrganizationNotFoundError](err) || isA[*AgentPoolNotFoundError](err) ||
			!api.IsAPIResponse && (api.Message != "" || api.Details != nil) {
			t.Errorf("got %T, %+v: only a response from Pulumi Cloud proves that the organization is gone", err, api)
		}
		var fields map[string]json.RawMessage
		if api.IsAPIResponse && json.Unmarshal(body, &fields) != nil {
			t.Errorf("%q is no JSON object", body)
		}
		if len(api.Details) > maxErrorDetails {
			t.Errorf("got %d details", len(api.Details))
		}
		for _, detail := range api.Details {
			expectPrintable(t, detail.Resource, detail.Attribute, detail.Type, detail.Message)
		}
		expectPrintable(t, append(c.Warnings(), err.Error(), api.Message, api.RequestID, api.ContentType, api.Location)...)
	})
}

func FuzzList(f *testing.F) {
	for _, body := range []string{
		emptyList, `{"agentPools":null}`, `{}`, `[]`, `null`, ``, `{"agentPools":{}}`, `{"agentPools":[null]}`, onePool,
		`{"agentPools":[{"id":"1","name":"a","created":1767225600000,"lastSeen":0,"status":"online","isDefault":true}],` +
			`"defaultAgentPoolID":"1"}`,
		`{"agentPools":[{"id":"A","name":"a"},{"id":"a","name":"b"},{"id":"1","name":"c"}]}`, `{"agentPools":[{"id":1,"name":"a"}]}`,
		`{"agentPools":[{"id":"1","name":"a","created":"now"}]}`, `{"agentPools":[],"next":{}}`, `{"agentPools":[],"nextToken":"x"}`,
		`{"agentPools":[{"id":"1","name":"a","created":-5,"lastSeen":1e300}]} x`, `{"agentPools":[{"id":"\u001b","name":"a"}]}`,
	} {
		f.Add([]byte(body))
	}
	c := fuzzClient(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		c.http.Transport = respondWith{http.StatusOK, nil, body}
		list, err := c.RefreshAgentPools(t.Context(), "acme")
		if err != nil {
			expectUnexpectedBody(t, err)
			return
		}
		for _, pool := range list.Pools {
			if found := list.ByID(strings.ToUpper(pool.ID)); found == nil || *found != pool {
				t.Errorf("ByID(%q) is %v", pool.ID, found)
			}
			if !validID.MatchString(pool.ID) || len(list.ByName(pool.Name)) == 0 {
				t.Errorf("got %+v", pool)
			}
		}
	})
}

func FuzzDetail(f *testing.F) {
	const start = `{"id":"` + poolID + `","name":"a"`
	for _, body := range []string{
		poolDetail, start + `}`, start + `,"agents":null}`, start + `,"agents":[{"pid":7}]}`, start + `,"agents":[{}, null]}`,
		start + `,"agents":[{"version":"2.0","hostname":"h","ip":"::1","pid":"7","lastSeen":1767225600000,"status":"online"}]}`,
		start + `,"created":{}}`, start + `,"agents":{}}`, `{"id":"2","name":"a"}`, `{"id":null}`, `[]`, ``, `{`,
	} {
		f.Add([]byte(body))
	}
	c := fuzzClient(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		c.http.Transport = respondWith{http.StatusOK, nil, body}
		pool, agents, err := c.GetAgentPool(t.Context(), "acme", poolID)
		if err != nil {
			expectUnexpectedBody(t, err)
		} else if !strings.EqualFold(pool.ID, poolID) || pool.Name == "" || agents == nil {
			t.Errorf("got %+v, %v", pool, agents)
		}
	})
}

func FuzzIDTokenClaims(f *testing.F) {
	for _, payload := range []string{
		`{"iss":"https://issuer.example","sub":"repo:acme/infra","aud":"urn:pulumi:org:acme"}`, `{"aud":["a","b"]}`, `{"aud":[1]}`,
		`{"aud":{}}`, `{"aud":null}`, `{"iss":1}`, `{"iss":"\u001b[2J","sub":"` + testToken + `"}`, `[]`, `null`, ``, `{`,
	} {
		f.Add(idToken(payload))
	}
	f.Add("a.b.c")
	f.Add("..")
	exchange := *exchangeFor("")
	c := fuzzClient(f)
	f.Fuzz(func(t *testing.T, token string) {
		cause := errors.New("no")
		err := c.exchangeRefused(token, exchange, cause)
		refused := expectError[*ExchangeRefusedError](t, err)
		if !errors.Is(err, cause) {
			t.Errorf("got %+v", refused)
		}
		expectPrintable(t, append(refused.Audiences, refused.Issuer, refused.Subject)...)
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{
		"", "0", "7", "-1", "1e9", "9223372036854775807", "18446744073709551616", "Sun, 01 Mar 2026 12:00:30 GMT",
		"Sunday, 01-Mar-26 12:00:30 GMT", "Sun Mar  1 12:00:30 2026", "Mon, 01 Jan 0001 00:00:00 GMT", "\x00", "٣",
	} {
		f.Add(value, "Sun, 01 Mar 2026 12:00:00 GMT")
		f.Add(value, "")
	}
	f.Fuzz(func(t *testing.T, value, date string) {
		got := retryAfter(http.Header{"Retry-After": {value}, "Date": {date}}, newClock().Now())
		seconds, secondsErr := strconv.ParseUint(value, 10, 32)
		_, dateErr := http.ParseTime(value)
		if got < 0 || secondsErr == nil && got.Seconds() != float64(seconds) || secondsErr != nil && dateErr != nil && got != 0 {
			t.Errorf("got %s", got)
		}
	})
}

func FuzzSanitize(f *testing.F) {
	for _, text := range []string{
		"", "plain", testToken, poolToken, "x" + base64.StdEncoding.EncodeToString([]byte("user:"+testToken)), "\x1b[2J", "\u202e",
		"pul-", "cHVsLTAxMjM0NTY3ODlhYmNkZWYw", "\xff\xfe", redacted, strings.Repeat("ü", 2000), url.QueryEscape(oddSecret),
	} {
		f.Add(text, 0)
		f.Add(text, 3)
	}
	r := newRedactor(testToken, oddSecret)
	f.Fuzz(func(t *testing.T, text string, at int) {
		at = min(max(at, 0), len(text))
		for _, secret := range []string{testToken, oddSecret} {
			encoded := base64.StdEncoding.EncodeToString([]byte(text[:at] + secret + text[at:]))
			for _, form := range []string{secret, strings.ToUpper(secret), url.QueryEscape(secret), encoded} {
				got := r.sanitize(text[:at] + " " + form + " " + text[at:])
				expectPrintable(t, got)
				if leaked(text[:at]+"  "+text[at:], secret) == "" && leaked(got, secret) != "" {
					t.Errorf("%q leaks %q", got, secret)
				}
			}
		}
	})
}
