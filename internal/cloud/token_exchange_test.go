package cloud_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

const exchangedToken = "pul-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// jwt returns what looks like an ID token with these claims. Nobody verifies its signature here.
func jwt(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"ES256"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte("the signature"))
}

// grant is a handler that sends a token in exchange.
func grant(token, fields string) http.HandlerFunc {
	return answer(http.StatusOK, fmt.Sprintf(`{"access_token":%q,"token_type":"Bearer"%s}`, token, fields))
}

func organizationToken() cloud.TokenExchange {
	return cloud.TokenExchange{Organization: "acme", TokenType: cloud.OrganizationToken}
}

func TestExchangeToken_request(t *testing.T) {
	t.Parallel()
	idToken := jwt(`{"aud":"urn:pulumi:org:acme"}`)
	for name, test := range map[string]struct {
		exchange         cloud.TokenExchange
		tokenType, scope string
		expiration       any
	}{
		"organization": {organizationToken(), "organization", "", nil},
		"administrator": {
			cloud.TokenExchange{Organization: "acme", TokenType: cloud.OrganizationToken, Admin: true}, "organization", "admin", nil,
		},
		"team":   {cloud.TokenExchange{Organization: "acme", TokenType: cloud.TeamToken, Name: "infra"}, "team", "team:infra", nil},
		"person": {cloud.TokenExchange{Organization: "acme", TokenType: cloud.PersonalToken, Name: "ada"}, "personal", "user:ada", nil},
		"expiration of one hour": {
			cloud.TokenExchange{Organization: "acme", TokenType: cloud.OrganizationToken, Expiration: time.Hour},
			"organization", "", 3600.0,
		},
		"expiration of less than a second": {
			cloud.TokenExchange{Organization: "acme", TokenType: cloud.OrganizationToken, Expiration: time.Millisecond},
			"organization", "", 1.0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, grant(exchangedToken, ""))
			got, err := newClient(t, s.URL).ExchangeToken(t.Context(), cloud.IDToken(idToken), test.exchange)
			if err != nil {
				t.Fatal(err)
			}
			if got.Token != exchangedToken || !got.ExpiresAt.IsZero() {
				t.Error("the grant is not what the server has sent")
			}
			requests := s.requests()
			if len(requests) != 1 || requests[0].method != http.MethodPost || requests[0].uri != "/api/oauth/token" {
				t.Fatalf("%d requests, want one POST to /api/oauth/token", len(requests))
			}
			if requests[0].header.Get("Authorization") != "" {
				t.Error("the exchange carries an access token")
			}
			var body map[string]any
			if err := json.Unmarshal([]byte(requests[0].body), &body); err != nil {
				t.Fatal(err)
			}
			want := map[string]any{
				"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": "urn:pulumi:org:acme",
				"subject_token": idToken, "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
				"requested_token_type": "urn:pulumi:token-type:access_token:" + test.tokenType, "scope": test.scope,
			}
			if test.expiration != nil {
				want["expiration"] = test.expiration
			}
			if diff := cmp.Diff(want, body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExchangeToken_lifetime(t *testing.T) {
	t.Parallel()
	clock := newClock()
	for fields, want := range map[string]time.Time{
		`,"expires_in":7200`:     clock.Now().Add(2 * time.Hour),
		`,"expires_in":90.5`:     clock.Now().Add(90 * time.Second),
		`,"expires_in":0`:        {},
		`,"expires_in":-5`:       {},
		`,"expires_in":1e300`:    {},
		``:                       {},
		`,"expires_in":null`:     {},
		`,"issued_token_type":1`: {},
	} {
		s := newServer(t, grant(exchangedToken, fields))
		c := newClient(t, s.URL, func(config *cloud.Config) { config.Now = clock.Now })
		got, err := c.ExchangeToken(t.Context(), cloud.IDToken(jwt(`{}`)), organizationToken())
		if err != nil || !got.ExpiresAt.Equal(want) {
			t.Errorf("%s: expires at %v, %v, want %v", fields, got.ExpiresAt, err, want)
		}
	}
}

func TestExchangeToken_refused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		idToken         string
		issuer, subject string
		audiences       []string
		wrongAudience   bool
	}{
		"its audience": {
			jwt(`{"iss":"https://issuer.example","sub":"repo:acme/infra","aud":"https://github.com/acme"}`),
			"https://issuer.example", "repo:acme/infra",
			[]string{"https://github.com/acme"},
			true,
		},
		"the policy": {
			jwt(`{"iss":"https://issuer.example","sub":"job","aud":["else","urn:pulumi:org:acme"]}`),
			"https://issuer.example", "job",
			[]string{"else", "urn:pulumi:org:acme"},
			false,
		},
		"no audience":           {jwt(`{"iss":"i"}`), "i", "", nil, false},
		"an odd audience":       {jwt(`{"iss":"i","aud":{"a":1}}`), "", "", nil, false},
		"claims of no object":   {jwt(`[]`), "", "", nil, false},
		"no base64":             {"a.!.c", "", "", nil, false},
		"a terminal's commands": {jwt(`{"iss":"\u001b[2J","sub":"a\nb"}`), "�[2J", "a b", nil, false},
	} {
		for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden} {
			t.Run(fmt.Sprintf("%s, %d", name, status), func(t *testing.T) {
				t.Parallel()
				s := newServer(t, refuse(status))
				_, err := newClient(t, s.URL).ExchangeToken(t.Context(), cloud.IDToken(test.idToken), organizationToken())
				refused, ok := errors.AsType[*cloud.ExchangeRefusedError](err)
				if !ok {
					t.Fatalf("got %v, want that it was refused", err)
				}
				if refused.Issuer != test.issuer || refused.Subject != test.subject ||
					!cmp.Equal(refused.Audiences, test.audiences) || refused.WrongAudience() != test.wrongAudience {
					t.Errorf("got %q, %q, %q, wrong audience %t", refused.Issuer, refused.Subject, refused.Audiences,
						refused.WrongAudience())
				}
				if api, ok := errors.AsType[*cloud.APIError](err); !ok || api.StatusCode != status {
					t.Errorf("%v does not unwrap to Pulumi Cloud's answer", err)
				}
				s.expectCounts(t, map[string]int{"POST": 1})
			})
		}
	}
}

func TestExchangeToken_otherFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler  http.HandlerFunc
		requests int
		is       func(error) bool
	}{
		"an unknown route": {
			func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, 1,
			func(err error) bool {
				api, ok := errors.AsType[*cloud.APIError](err)
				return ok && api.StatusCode == http.StatusNotFound && !api.FromPulumi
			},
		},
		"a proxy's refusal": {
			func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<h1>no</h1>", http.StatusForbidden) }, 1,
			func(err error) bool {
				_, refused := errors.AsType[*cloud.ExchangeRefusedError](err)
				return !refused
			},
		},
		"500 for ever": {refuse(http.StatusInternalServerError), 3, func(err error) bool {
			api, ok := errors.AsType[*cloud.APIError](err)
			return ok && api.StatusCode == http.StatusInternalServerError
		}},
		"no answer": {drop, 3, func(err error) bool {
			_, ok := errors.AsType[*cloud.TransportError](err)
			return ok
		}},
		"a page": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<h1>Sign in</h1>") }, 1,
			func(err error) bool {
				_, ok := errors.AsType[*cloud.ResponseError](err)
				return ok
			},
		},
		"no token": {answer(http.StatusOK, `{"expires_in":1}`), 1, func(err error) bool {
			response, ok := errors.AsType[*cloud.ResponseError](err)
			return ok && response.Field == "access_token"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, test.handler)
			_, err := newClient(t, s.URL).ExchangeToken(t.Context(), cloud.IDToken(jwt(`{}`)), organizationToken())
			if err == nil || !test.is(err) {
				t.Errorf("got %v", err)
			}
			s.expectCounts(t, map[string]int{"POST": test.requests})
		})
	}
}

// An exchange creates nothing but a token, so that it is sent again where its answer was lost.
func TestExchangeToken_isSentAgain(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]http.HandlerFunc{
		"500": refuse(http.StatusInternalServerError), "no answer": drop, "429": refuse(http.StatusTooManyRequests), "cut off": cutOff,
	} {
		s := newServer(t, first(1, failure, grant(exchangedToken, "")))
		got, err := newClient(t, s.URL).ExchangeToken(t.Context(), cloud.IDToken(jwt(`{}`)), organizationToken())
		if err != nil || got.Token != exchangedToken {
			t.Errorf("%s: got %v", name, err)
		}
		s.expectCounts(t, map[string]int{"POST": 2})
	}
}

func TestExchangeToken_errorsHoldNoToken(t *testing.T) {
	t.Parallel()
	idToken := jwt(`{"iss":"https://issuer.example","sub":"` + exchangedToken + `"}`)
	s := newServer(t, answer(http.StatusUnauthorized,
		`{"code":401,"message":"Unauthorized: `+idToken+` and `+base64.StdEncoding.EncodeToString([]byte("x"+idToken))+`"}`))
	_, err := newClient(t, s.URL).ExchangeToken(t.Context(), cloud.IDToken(idToken+"\n"), organizationToken())
	if err == nil {
		t.Fatal("no error")
	}
	shown := fmt.Sprintf("%v %+v", err, err)
	refused, _ := errors.AsType[*cloud.ExchangeRefusedError](err)
	for _, secret := range []string{idToken, strings.Split(idToken, ".")[1], exchangedToken} {
		if strings.Contains(shown, secret) || strings.Contains(refused.Subject, secret) {
			t.Error("the error holds a secret")
		}
	}
	if !strings.Contains(shown, "(redacted)") {
		t.Errorf("got %v", err)
	}
}
