package pulumiapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func logTo(w io.Writer, level hclog.Level) func(*Config) {
	return func(config *Config) {
		config.Logger = hclog.New(&hclog.LoggerOptions{Level: level, Output: w, JSONFormat: true})
	}
}

func TestClient_log(t *testing.T) {
	t.Parallel()
	const sent = ` (38 bytes) {"description":"new","name":"renamed"}`
	lines := []string{"warn 1 retryable 0 ", "warn 2 rate limited 429 r-1", "debug 3 succeeded 200 r-1"}
	for level, want := range map[hclog.Level][]string{
		hclog.Off: nil, hclog.Warn: lines[:2], hclog.Debug: lines,
		hclog.Trace: {
			lines[0] + sent + ` (0 bytes)`,
			lines[1] + sent + ` (46 bytes) {"code":429,"message":"Too Many Requests: no"}`,
			lines[2] + sent + ` (35 bytes) {"name":"renamed"}`,
		},
	} {
		s := newServer(t, sequence(drop, withHeader("X-Pulumi-Request-ID", "r-1", refuse(429)),
			withHeader("X-Pulumi-Request-ID", "r-1", respond(200, `{"name":"renamed","tokenValue":"x"}`))))
		var log bytes.Buffer
		if _, err := newClient(t, s, logTo(&log, level)).UpdateAgentPool(t.Context(), "acme", poolID, "renamed", "new"); err != nil {
			t.Fatal(err)
		}
		var got []string
		for text := range strings.Lines(log.String()) {
			var line map[string]any
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
			if line["duration_ms"] == nil || line["method"] != "PATCH" || line["path"] != "/api/orgs/acme/agent-pools/"+poolID {
				t.Errorf("got %v, want the duration, method and path in each line", line)
			}
			entry := fmt.Sprint(line["@level"], " ", line["attempt"], " ", line["result"], " ", line["status"], " ", line["request_id"])
			if level == hclog.Trace {
				entry += fmt.Sprint(" ", line["request"], " ", line["response"])
			}
			got = append(got, entry)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", level, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestClient_loggedBody(t *testing.T) {
	t.Parallel()
	o := &operation{client: newClient(t, nil, func(config *Config) { config.Secrets = []string{`odd<&>"secret`} })}
	for body, want := range map[string]string{
		"":                                    ``,
		`{"id":"7","tokenValue":"x"}`:         ` {"id":"7"}`,
		`[{"agents":[{"access_token":1}]},7]`: ` [{"agents":[{}]},7]`,
		`{"subject_token":{"id":"x"}}`:        ` {}`,
		`{"message":"` + poolToken + `"}`:     ` {"message":"(redacted)"}`,
		`{"` + poolToken + `":1}`:             ` {}`,
		`{"name":"odd\u003c&>\"secret"}`:      ` {"name":"(redacted)"}`,
		`{"created":1767225600000}`:           ` {"created":1767225600000}`,
		`{"name":"\u001b"}`:                   ` {"name":"�"}`,
		`{"tokenValue":"pul-`:                 ``,
		`<html>` + poolToken:                  ``,
		strings.Repeat(" ", 16<<10) + "{}":    ``,
	} {
		if got := o.loggedBody([]byte(body)); got != fmt.Sprintf("(%d bytes)", len(body))+want {
			t.Errorf("%.60q: got %q, want the size and %q", body, got, want)
		}
	}
}

// TestClient_echoedSecrets proves that no error, warning or log line at level TRACE shows a secret, wherever a server
// repeats it.
func TestClient_echoedSecrets(t *testing.T) {
	t.Parallel()
	const exchanged, refresh = "pul-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "refresh-5ecret-value"
	secrets := []string{testIDToken, exchanged, poolToken, strings.Split(testIDToken, ".")[2], refresh}
	var echoes []string
	for _, secret := range secrets[:4] {
		forms := encodings(secret)
		for _, name := range []string{"plain", "uppercase", "every byte", "base641"} {
			echoes = append(echoes, forms[name])
		}
	}
	echo := strings.Join(echoes, " ")
	body := func(status int, format string) http.HandlerFunc {
		return respond(status, strings.ReplaceAll(strings.ReplaceAll(format, "ECHO", echo), "CODE", fmt.Sprint(status)))
	}
	raw := func(format string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = io.WriteString(conn, strings.ReplaceAll(format, "ECHO", echo))
				_ = conn.Close()
			}
		}
	}
	const errorBody = `{"code":CODE,"message":"no ECHO","documentationUrl":"https://x/ECHO","error":"ECHO",
		"error_description":"ECHO","errors":[{"resource":"ECHO","attribute":"ECHO","errorType":"ECHO","customMessage":"ECHO"}]}`
	places := map[string]http.HandlerFunc{
		"403": body(403, errorBody), "409": body(409, errorBody), "503": body(503, errorBody),
		"OAuth":       body(400, `{"error":"ECHO","error_description":"ECHO"}`),
		"foreign":     body(502, `<html>ECHO`),
		"broken JSON": body(200, `{"id":"ECHO`),
		"mistyped":    body(200, `{"id":{"ECHO":"ECHO"},"name":["ECHO"],"agentPools":"ECHO","access_token":{"ECHO":1}}`),
		"keys":        body(200, `{"ECHO":1}`),
		"values": body(200, `{"agentPools":[{"id":"1","name":"ECHO","description":"ECHO"}],"id":"`+poolID+`",
			"name":"ECHO","description":"ECHO","agents":[{"hostname":"ECHO","ip":"ECHO"}],"tokenValue":"x","GitHubLogin":"ECHO"}`),
		"invalid ID":   body(200, `{"agentPools":[{"id":"ECHO","name":"a"}],"id":"ECHO","tokenValue":"x","GitHubLogin":".."}`),
		"content type": withHeader("Content-Type", "text/"+echo, body(403, "<html>")),
		"redirect":     withHeader("Location", "/"+echo, respond(301, "")),
		"request ID":   withHeader("X-Pulumi-Request-Id", echo, body(403, errorBody)),
		"warning":      withHeader("X-Pulumi-Warning", echo, body(200, `{}`)),
		"status line":  raw("HTTP/1.1 ECHO\r\n\r\n"),
		"protocol":     raw("ECHO 200 OK\r\n\r\n"),
		"header line":  raw("HTTP/1.1 200 OK\r\nECHO\r\n\r\n"),
		"length":       raw("HTTP/1.1 200 OK\r\nContent-Length: ECHO\r\n\r\n"),
	}
	grant := withHeader("X-Pulumi-Warning", exchanged+" "+refresh,
		respond(200, `{"access_token":"`+exchanged+`","refresh_token":"`+refresh+`","scope":"`+exchanged+" "+refresh+`"}`))
	for place, handler := range places {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			all := handlers{"token": sequence(handler, grant), "metadata": handler} // The first exchange fails.
			for _, operation := range testOperations {
				all[operation.name] = handler
			}
			var log bytes.Buffer
			c := newClient(t, newServer(t, all), logTo(&log, hclog.Trace), func(config *Config) {
				config.AccessToken, config.MaxRetries, config.Exchange = "", 0, exchangeFor(testIDToken)
			})
			var shown strings.Builder
			for _, operation := range append(testOperations[:1:1], testOperations...) {
				shown.WriteString(dump(operation.call(t.Context(), c)))
			}
			shown.WriteString(strings.Join(c.Warnings(), "\n") + log.String())
			if secret := leaked(shown.String(), secrets...); secret != "" || log.String() == "" {
				t.Errorf("%q leaks %q", shown.String(), secret)
			}
		})
	}
}

// dump returns an error and its causes from this package in every form in which they may be printed.
func dump(err error) string {
	if err == nil {
		return ""
	}
	text := fmt.Sprintf("%v %+v %q\n", err, err, err)
	value := reflect.Indirect(reflect.ValueOf(err))
	if kind(err) == "sanitizedError" || value.Type().PkgPath() != reflect.TypeFor[Client]().PkgPath() {
		return text
	}
	text += fmt.Sprintf("%+v %#v\n", value.Interface(), value.Interface())
	for _, field := range value.Fields() {
		if cause, ok := reflect.TypeAssert[error](field); ok {
			text += dump(cause)
		}
	}
	return text
}
