package cloud

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func FuzzErrorBody(f *testing.F) {
	for _, body := range []string{
		`{"code":404,"message":"Not Found: no"}`, `{"code":400,"message":"Bad Request"}`, `{"code":"404","message":"x"}`,
		`{"code":404,"message":"x","documentationUrl":"https://x","errors":[{"resource":"r","attribute":"a","errorType":"t",` +
			`"customMessage":"m"}]}`,
		`{"code":404,"message":"x","errors":{}}`, `{"code":404,"message":7}`, `{"code":404}`, `[]`, `null`, `""`, ``, `<html>`,
		`404 page not found`, `{"code":404,"message":"` + "\u202e" + ownToken + `"}`, `{"code":404,"message":"x"} trailing`,
		`{"CODE":404,"Message":"x"}`, `{"code":404,"message":"\u001b[2J"}`, `{"code":4.04e2,"message":"x"}`,
	} {
		f.Add([]byte(body), "application/json", "request-1")
	}
	f.Add([]byte("{"), "text/html; charset="+ownToken, ownToken)
	client := New(Config{AccessToken: ownToken})
	f.Fuzz(func(t *testing.T, body []byte, contentType, requestID string) {
		x := &exchange{client: client, body: body, endpoint: Endpoint{Method: http.MethodGet, Path: "/api"}}
		resp := &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{
			"Content-Type": {contentType}, "X-Pulumi-Request-Id": {requestID}, "Location": {contentType},
		}}
		var err *APIError
		if !errors.As(x.apiError(resp), &err) {
			t.Fatal("no APIError")
		}
		if err.FromPulumi != hasStatus(err, http.StatusNotFound) {
			t.Errorf("%+v: its status counts only if it is Pulumi's", err)
		}
		if err.FromPulumi {
			var fields map[string]json.RawMessage
			if json.Unmarshal(body, &fields) != nil {
				t.Errorf("%q is no JSON object, and so not Pulumi's", body)
			}
		} else if err.Message != "" || err.Details != nil {
			t.Errorf("%+v: a message that is not Pulumi's", err)
		}
		shown := fmt.Sprintf("%v %+v %#v", err, *err, *err)
		if strings.Contains(shown, ownToken) {
			t.Errorf("%q holds the access token", shown)
		}
		text := err.Error()
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("%q has what a terminal may obey", text)
		}
		if len(err.Details) > maxErrorDetails || utf8.RuneCountInString(text) > 3*maxTextRunes+200 {
			t.Errorf("%d details, %d runes", len(err.Details), utf8.RuneCountInString(text))
		}
	})
}

func FuzzDecodeList(f *testing.F) {
	for _, body := range []string{
		`{"agentPools":[]}`, `{"agentPools":null}`, `{}`, `[]`, `null`, ``, `{"agentPools":{}}`, `{"agentPools":[null]}`,
		`{"agentPools":[{"id":"1","name":"a","created":1767225600000,"lastSeen":0,"status":"online","isDefault":true}],` +
			`"defaultAgentPoolID":"1"}`,
		`{"agentPools":[{"id":"1","name":"a"},{"id":"1","name":"b"},{"id":"1","name":"c"}]}`, `{"agentPools":[{"id":1,"name":"a"}]}`,
		`{"agentPools":[{"id":"1","name":"a","created":"now"}]}`, `{"agentPools":[{"id":"1"}]}`, `{"agentPools":[{"name":"a"}]}`,
		`{"agentPools":[{"id":"1","name":"a","created":-5,"lastSeen":1e300}]} x`, `{"agentPools":[{"id":"\u001b","name":"a"}]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := decodeList(&answer{body: body})
		if err != nil {
			expectResponseError(t, err)
			return
		}
		times := map[string]int{}
		for _, pool := range list.Pools {
			times[pool.ID]++
		}
		for _, pool := range list.Pools {
			found, ok := list.ByID(pool.ID)
			if ok != (times[pool.ID] == 1) || ok && found != pool {
				t.Errorf("ByID(%q) is %v, %t; the list has it %d times", pool.ID, found, ok, times[pool.ID])
			}
			if pool.ID == "" || strings.ContainsFunc(pool.ID, isUnprintable) {
				t.Errorf("a pool has the id %q", pool.ID)
			}
			if len(list.ByName(pool.Name)) == 0 {
				t.Errorf("ByName(%q) finds nothing", pool.Name)
			}
		}
	})
}

func FuzzDecodeDetail(f *testing.F) {
	for _, body := range []string{
		`{"id":"1","name":"a","description":"","created":1767225600000,"agents":[{"version":"2.0","hostname":"h","ip":"::1",` +
			`"pid":"7","lastSeen":1767225600000,"status":"online"}]}`,
		`{"id":"1","name":"a"}`, `{"id":"1","name":"a","agents":null}`, `{"id":"1","name":"a","agents":[{"pid":7}]}`,
		`{"id":"2","name":"a"}`,
		`{"id":"1"}`, `{"id":null,"name":null}`, `{"ID":"1","NAME":"a"}`, `{"id":"1","name":"a","agents":{}}`, `[]`, ``, `{`,
		`{"id":"1","name":"a","agents":[{}, null]}`, `{"id":"1","name":"a","created":{}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		detail, err := decodeDetail(&answer{body: body}, "1")
		if err != nil {
			expectResponseError(t, err)
			return
		}
		if detail.ID != "1" || detail.Agents == nil {
			t.Errorf("got %+v, want the pool 1 and its agents", detail)
		}
	})
}

func FuzzIDTokenClaims(f *testing.F) {
	for _, payload := range []string{
		`{"iss":"https://issuer.example","sub":"repo:acme/infra","aud":"urn:pulumi:org:acme"}`, `{"aud":["a","b"]}`, `{"aud":[1]}`,
		`{"aud":{}}`, `{"aud":null}`, `{"iss":1}`, `{"iss":"\u001b[2J","sub":"` + ownToken + `"}`, `[]`, `null`, ``, `{`,
	} {
		f.Add("e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln")
	}
	f.Add("a.b.c")
	f.Add("..")
	f.Add(ownToken)
	exchange := TokenExchange{Organization: "acme", TokenType: OrganizationToken}
	f.Fuzz(func(t *testing.T, idToken string) {
		client := New(Config{AccessToken: ownToken})
		cause := errors.New("no")
		var refused *ExchangeRefusedError
		if !errors.As(client.exchangeRefused(idToken, exchange, cause), &refused) || !errors.Is(refused, cause) {
			t.Fatal("no refusal with its cause")
		}
		if refused.WrongAudience() && slices.Contains(refused.Audiences, exchange.Audience()) {
			t.Errorf("%q is taken for a wrong audience", refused.Audiences)
		}
		for _, text := range append(refused.Audiences, refused.Issuer, refused.Subject) {
			if strings.Contains(text, ownToken) || !utf8.ValidString(text) || strings.ContainsFunc(text, isUnprintable) {
				t.Errorf("%q is not safe to print", text)
			}
		}
	})
}

func expectResponseError(t *testing.T, err error) {
	t.Helper()
	var responseErr *ResponseError
	if !errors.As(err, &responseErr) {
		t.Fatalf("got %v, want a ResponseError", err)
	}
	if responseErr.Reason == "" || strings.ContainsFunc(err.Error(), isUnprintable) || len(err.Error()) > 500 {
		t.Errorf("got %q", err)
	}
}

func BenchmarkDecodeList(b *testing.B) {
	var body strings.Builder
	body.WriteString(`{"agentPools":[`)
	for i := range 1000 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"id":"%08d-3c5a-4c60-9f1e-0a4b8f1d2c3e","name":"pool-%d","description":"Runners of team %d",`+
			`"created":1767225600000,"lastSeen":1767225600,"status":"online","isDefault":false}`, i, i, i)
	}
	body.WriteString(`]}`)
	received := &answer{body: []byte(body.String())}
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if list, err := decodeList(received); err != nil || len(list.Pools) != 1000 {
			b.Fatal(err)
		}
	}
}
