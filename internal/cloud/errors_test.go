package cloud_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/hashicorp/go-hclog"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

func TestAPIErrors(t *testing.T) {
	t.Parallel()
	const (
		asked       = "GET /api/orgs/acme/agent-pools/" + poolID + ": "
		foreignJSON = "403 Forbidden (application/json, not Pulumi Cloud's JSON) (request r-1)"
	)
	for name, test := range map[string]struct {
		contentType, body string
		want              cloud.APIError
		text              string
	}{
		"Pulumi's": {
			"application/json; charset=utf-8",
			`{"code":403,"message":"Forbidden: no","documentationUrl":"https://www.pulumi.com/docs","new":1,"errors":[
			{"resource":"AgentPool","attribute":"name","errorType":"invalid","customMessage":"too long"}]}`,
			cloud.APIError{
				FromPulumi: true, Message: "Forbidden: no", DocumentationURL: "https://www.pulumi.com/docs", ContentType: "application/json",
				Details: []cloud.ErrorDetail{{Resource: "AgentPool", Attribute: "name", Type: "invalid", Message: "too long"}},
			},
			"403 Forbidden: no (request r-1)",
		},
		"HTML": {
			"text/html", "<html>",
			cloud.APIError{ContentType: "text/html"},
			"403 Forbidden (text/html, not Pulumi Cloud's JSON) (request r-1)",
		},
		"plain text": {
			"text/plain", "no",
			cloud.APIError{ContentType: "text/plain"},
			"403 Forbidden (text/plain, not Pulumi Cloud's JSON) (request r-1)",
		},
		"other JSON": {"application/json", `{"error":"forbidden"}`, cloud.APIError{ContentType: "application/json"}, foreignJSON},
		"JSON array": {
			"application/json", `[{"code":403,"message":"no"}]`,
			cloud.APIError{ContentType: "application/json"},
			foreignJSON,
		},
		"other code": {"application/json", `{"code":404,"message":"no"}`, cloud.APIError{ContentType: "application/json"}, foreignJSON},
		"no message": {"application/json", `{"code":403}`, cloud.APIError{ContentType: "application/json"}, foreignJSON},
		"mistyped details": {
			"application/json", `{"code":403,"message":"no","errors":"many"}`,
			cloud.APIError{FromPulumi: true, Message: "no", ContentType: "application/json"},
			"403 Forbidden: no (request r-1)",
		},
		"truncated": {"application/json", `{"code":403,"message":"no"`, cloud.APIError{ContentType: "application/json"}, foreignJSON},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", test.contentType)
				w.Header().Set("X-Pulumi-Request-ID", "r-1")
				w.WriteHeader(http.StatusForbidden)
				_, _ = w.Write([]byte(test.body))
			})
			_, err := newClient(t, server.URL).GetAgentPool(t.Context(), "acme", poolID)
			var got *cloud.APIError
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want an APIError", err)
			}
			want := test.want
			want.Endpoint = cloud.Endpoint{Method: http.MethodGet, Path: "/api/orgs/acme/agent-pools/" + poolID}
			want.StatusCode, want.RequestID, want.Attempts = http.StatusForbidden, "r-1", 1
			if !reflect.DeepEqual(*got, want) {
				t.Errorf("got %+v, want %+v", *got, want)
			}
			if got.Error() != asked+test.text {
				t.Errorf("got %q, want %q", got, asked+test.text)
			}
		})
	}
}

func TestErrorTextsAreBoundedAndHarmless(t *testing.T) {
	t.Parallel()
	nasty := "\x1b]0;owned\x07\u202e\u009b2J\r\n" + strings.Repeat("long ", 2000)
	quoted, err := json.Marshal(nasty)
	if err != nil {
		t.Fatal(err)
	}
	details := strings.Repeat(`{"customMessage":`+string(quoted)+`},`, 3)
	server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Pulumi-Request-ID", strings.Repeat("long ", 2000))
		w.Header().Set("X-Pulumi-Warning", "\u009b2J"+strings.Repeat("long ", 2000))
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"code":400,"message":%s,"documentationUrl":%s,"errors":[%s{}]}`, quoted, quoted, details)
	})
	ctx, warnings := cloud.WithWarnings(t.Context())
	callErr := newClient(t, server.URL).DeleteAgentPool(ctx, "acme", poolID, false)
	var apiErr *cloud.APIError
	if !errors.As(callErr, &apiErr) || !apiErr.FromPulumi || len(apiErr.Details) != 4 || len(warnings.All()) != 1 {
		t.Fatalf("got %+v and the warnings %q", callErr, warnings.All())
	}
	texts := append(warnings.All(), apiErr.Message, apiErr.DocumentationURL, apiErr.RequestID, apiErr.Details[0].Message)
	for _, text := range texts {
		if len([]rune(text)) > 1001 || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("got %d runes: %.60q", len([]rune(text)), text)
		}
	}
}

// spellings are the ways in which a server may echo a secret.
func spellings(secret string) map[string]string {
	spelled := map[string]string{"plain": secret, "URL-encoded": url.QueryEscape(secret), "header": "token " + secret}
	for preceding := range 3 {
		text := []byte(strings.Repeat("u", preceding) + secret + ":")
		spelled[fmt.Sprint("base64 ", preceding)] = base64.StdEncoding.EncodeToString(text)
		spelled[fmt.Sprint("base64url ", preceding)] = base64.RawURLEncoding.EncodeToString(text)
	}
	return spelled
}

// holds tells whether the text has the core of the secret in it, in any of its spellings.
func holds(text, secret string) bool {
	for _, spelled := range spellings(secret) {
		if core := spelled[len(spelled)/2-6 : len(spelled)/2+6]; strings.Contains(text, core) {
			return true
		}
	}
	return false
}

func TestEchoedSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	header := func(name string, status int) func(string) http.HandlerFunc {
		return func(secret string) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(name, "echo "+secret)
				answer(status, `{"code":`+fmt.Sprint(status)+`,"message":"no"}`)(w, r)
			}
		}
	}
	body := func(status int, format string) func(string) http.HandlerFunc {
		return func(secret string) http.HandlerFunc {
			return answer(status, strings.ReplaceAll(format, "SECRET", secret))
		}
	}
	contentType := func(secret string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/"+secret)
			_, _ = w.Write([]byte("<html>" + secret))
		}
	}
	raw := func(format string) func(string) http.HandlerFunc {
		return func(secret string) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_, _ = conn.Write([]byte(strings.ReplaceAll(format, "SECRET", secret)))
					_ = conn.Close()
				}
			}
		}
	}
	for place, echo := range map[string]func(string) http.HandlerFunc{
		"message":           body(403, `{"code":403,"message":"no SECRET"}`),
		"documentation URL": body(403, `{"code":403,"message":"no","documentationUrl":"https://x/SECRET"}`),
		"details": body(403, `{"code":403,"message":"no","errors":[{"resource":"SECRET","attribute":"SECRET","errorType":"SECRET",
			"customMessage":"SECRET"}]}`),
		"foreign error":       body(502, `<html>SECRET`),
		"broken JSON":         body(200, `{"id":"SECRET`),
		"other types":         body(200, `{"id":{"SECRET":"SECRET"},"name":"SECRET","agentPools":"SECRET"}`),
		"keys":                body(200, `{"SECRET":1}`),
		"error content type":  header("Content-Type", 403),
		"request id":          header("X-Pulumi-Request-Id", 403),
		"request id, success": header("X-Pulumi-Request-Id", 200),
		"warning":             header("X-Pulumi-Warning", 403),
		"warning, success":    header("X-Pulumi-Warning", 200),
		"location":            header("Location", 301),
		"content type":        contentType,
		"status line":         raw("HTTP/1.1 SECRET\r\n\r\n"),
		"protocol":            raw("SECRET 200 OK\r\n\r\n"),
		"header line":         raw("HTTP/1.1 200 OK\r\nSECRET\r\n\r\n"),
		"length":              raw("HTTP/1.1 200 OK\r\nContent-Length: SECRET\r\n\r\n"),
	} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			for _, secret := range []string{accessToken, poolToken} {
				for spelling, text := range spellings(secret) {
					server := newServer(t, echo(text))
					var log bytes.Buffer
					logger := hclog.New(&hclog.LoggerOptions{
						Level: hclog.Trace, Output: &log, Mutex: &sync.Mutex{}, JSONFormat: spelling == "plain",
					})
					client := newClient(t, server.URL, func(c *cloud.Config) {
						c.MaxRetries = 1
						c.Logger = func(context.Context) hclog.Logger { return logger }
					})
					for _, operation := range operations() {
						ctx, warnings := cloud.WithWarnings(t.Context())
						err := operation.call(ctx, client)
						shown := strings.Join(append(warnings.All(), show(err)...), "\n")
						if holds(shown, secret) {
							t.Errorf("%s, %s: got %s", operation.name, spelling, shown)
						}
					}
					if log.Len() == 0 || holds(log.String(), secret) {
						t.Errorf("%s: logged %s", spelling, log.String())
					}
				}
			}
		})
	}
}

// show returns an error, and all of its causes that are this package's, in every form in which it may be printed.
func show(err error) []string {
	if err == nil {
		return nil
	}
	texts := []string{fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), fmt.Sprintf("%q", err)}
	if value := reflect.ValueOf(err); value.Kind() == reflect.Pointer && value.Elem().Kind() == reflect.Struct &&
		strings.HasPrefix(value.Type().String(), "*cloud.") {
		texts = append(texts, fmt.Sprintf("%+v", value.Elem().Interface()), fmt.Sprintf("%#v", value.Elem().Interface()))
		if field := value.Elem().FieldByName("Err"); field.IsValid() {
			if cause, ok := reflect.TypeAssert[error](field); ok {
				texts = append(texts, show(cause)...)
			}
		}
	}
	return texts
}

func TestLogIsUseful(t *testing.T) {
	t.Parallel()
	limited := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Pulumi-Request-ID", "r-1")
		refuse(http.StatusTooManyRequests)(w, r)
	}
	done := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Pulumi-Request-ID", "r-2")
		answer(http.StatusOK, `{"id":"`+poolID+`","name":"runners","tokenValue":"secret"}`)(w, r)
	}
	for _, level := range []hclog.Level{hclog.Warn, hclog.Debug, hclog.Trace} {
		t.Run(level.String(), func(t *testing.T) {
			t.Parallel()
			server := newServer(t, inTurn(drop, limited, done))
			var log bytes.Buffer
			logger := hclog.New(&hclog.LoggerOptions{Level: level, Output: &log, JSONFormat: true})
			client := newClient(t, server.URL, func(c *cloud.Config) { c.Logger = func(context.Context) hclog.Logger { return logger } })
			if _, err := client.GetAgentPool(t.Context(), "acme", poolID); err != nil {
				t.Fatal(err)
			}
			var got []string
			for scanner := bufio.NewScanner(&log); scanner.Scan(); {
				var line map[string]any
				if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
					t.Fatal(err)
				}
				if line["method"] != "GET" || line["path"] != "/api/orgs/acme/agent-pools/"+poolID {
					t.Errorf("got %v, want the method and the path in each line", line)
				}
				if _, timed := line["duration_ms"].(float64); !timed && line["@message"] != "sending request" {
					t.Errorf("got %v, want the duration", line)
				}
				text := fmt.Sprint(line["@level"], " ", line["@message"], " ", line["attempt"], " ", line["status"], " ", line["request_id"])
				if body, ok := line["body"].(string); ok && body != "" {
					text += " " + body
				}
				got = append(got, text)
			}
			lines := map[hclog.Level][]string{
				hclog.Warn: {"warn request failed 1 <nil> <nil>", "warn request answered 2 429 r-1"},
				hclog.Debug: {
					"warn request failed 1 <nil> <nil>", "warn request answered 2 429 r-1", "debug request answered 3 200 r-2",
				},
				hclog.Trace: {
					"trace sending request 1 <nil> <nil>", "warn request failed 1 <nil> <nil>",
					"trace sending request 2 <nil> <nil>", "warn request answered 2 429 r-1",
					`trace response body 2 429 r-1 {"code":429,"message":"Too Many Requests: no"}`,
					"trace sending request 3 <nil> <nil>", "debug request answered 3 200 r-2",
					`trace response body 3 200 r-2 {"id":"` + poolID + `","name":"runners","tokenValue":"(redacted)"}`,
				},
			}
			if want := lines[level]; strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

func TestTransportErrorTellsTheCause(t *testing.T) {
	t.Parallel()
	client := newClient(t, newServer(t, drop).URL)
	err := client.DeleteAgentPool(t.Context(), "acme", poolID, false)
	var transportErr *cloud.TransportError
	if !errors.As(err, &transportErr) || !transportErr.Uncertain || transportErr.Attempts != 3 {
		t.Fatalf("got %+v, want an uncertain TransportError after 3 attempts", err)
	}
	if want := "DELETE /api/orgs/acme/agent-pools/" + poolID + ": EOF"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	refused := newClient(t, "http://127.0.0.1:1").DeleteAgentPool(t.Context(), "acme", poolID, false)
	var opErr *net.OpError
	if !errors.As(refused, &opErr) || opErr.Op != "dial" {
		t.Errorf("got %v, want an error that wraps the failed dial", refused)
	}
}
