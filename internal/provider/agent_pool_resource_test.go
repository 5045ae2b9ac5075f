package provider_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/acctest"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestAgentPool_tokenSurvivesRefreshAndUpdate(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "runners"})
	id, token := pool.Text("id"), pool.Text("token")
	if !cloud.TokenMatches("acme", id, token) {
		t.Fatal("the state does not have the token of the agent pool")
	}
	expectSame := func(o acctest.Object) {
		t.Helper()
		if o.Text("id") != id || o.Text("token") != token {
			t.Error("the ID or the token has changed")
		}
	}
	pool = pools.MustRead(t, pool)
	expectSame(pool)
	change, diagnostics := pools.Plan(t.Context(), pool, acctest.Values{"name": "renamed"})
	expectNone(t, diagnostics)
	expectSame(change.Planned)
	pool = pools.MustApply(t, pool, acctest.Values{"name": "renamed"})
	expectSame(pool)
	pool = pools.MustApply(t, pool, acctest.Values{"name": "renamed", "force_destroy": true})
	expectSame(pool)

	stop := cloud.intercept(http.MethodPatch, respondError(http.StatusInternalServerError, "out of order"))
	failed, diagnostics := pools.Apply(t.Context(), pool, acctest.Values{"name": "again"})
	expectError(t, diagnostics, "Pulumi Cloud server error")
	expectSame(failed)
	if got := failed.Text("name"); got != "renamed" {
		t.Errorf("the name is %q after a failed update", got)
	}
	stop()
	expectSame(pools.MustRead(t, failed))
}

func TestAgentPool_updateSendsBothFields(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "runners", "description": "first"})
	for _, config := range []acctest.Values{
		{"name": "renamed", "description": "first"},
		{"name": "renamed", "description": "second"},
		{"name": "renamed", "description": ""},
		{"name": "runners", "description": "third"},
	} {
		cloud.ResetRequests()
		pool = pools.MustApply(t, pool, config)
		requests := cloud.Requests()
		if len(requests) != 1 || requests[0].Method != http.MethodPatch {
			t.Fatalf("%v: %d requests, want one PATCH", config, len(requests))
		}
		var body acctest.Values
		mustDo(t, json.Unmarshal([]byte(requests[0].Body), &body))
		if !reflect.DeepEqual(body, config) {
			t.Errorf("the body is %v, want %v", body, config)
		}
	}
}

func TestAgentPool_updateWithoutRequest(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "runners"})
	cloud.ResetRequests()
	for _, test := range []struct {
		config acctest.Values
		want   acctest.Action
	}{
		{acctest.Values{"name": "runners", "description": ""}, acctest.NoOp},
		{acctest.Values{"name": "runners", "force_destroy": true}, acctest.Update},
		{acctest.Values{"name": "runners", "drain_timeout": "1h"}, acctest.Update},
		{acctest.Values{"name": "runners", "rotate_triggers": map[string]tftypes.Value{}}, acctest.Update},
		{acctest.Values{"name": "runners"}, acctest.Update},
	} {
		change, diagnostics := pools.Plan(t.Context(), pool, test.config)
		expectNone(t, diagnostics)
		if change.Action != test.want {
			t.Errorf("%v: the plan is %s, want %s", test.config, change.Action, test.want)
		}
		pool, diagnostics = pools.ApplyChange(t.Context(), change)
		expectNone(t, diagnostics)
	}
	cloud.expectRequests(t)
}

func TestAgentPool_updateStoredDifferently(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "runners", "description": "old"})
	cloud.intercept(http.MethodPatch, respond(http.StatusOK, jsonType, `{"name":"runners","description":"old"}`))
	pool, diagnostics := pools.Apply(t.Context(), pool, acctest.Values{"name": "runners"})
	expectWarning(t, diagnostics, "Pulumi Cloud stored different values", `description ""`, `description "old"`)
	if got := pool.Text("description"); diagnostics.HasError() || got != "" {
		t.Errorf("the description in the state is %q, want the planned value: %s", got, diagnostics)
	}
	if got := pools.MustRead(t, pool).Text("description"); got != "old" {
		t.Errorf("the description after a refresh is %q", got)
	}
}

func TestAgentPool_identity(t *testing.T) {
	t.Parallel()
	for _, omitIdentity := range []bool{false, true} {
		t.Run(fmt.Sprintf("OmitIdentity %t", omitIdentity), func(t *testing.T) {
			t.Parallel()
			clock, cloud := newTestClock(), startPulumiCloud(t, emulator.Options{})
			pools := cloud.acme(t, clock.option)
			pools.OmitIdentity = omitIdentity
			pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "runners"})
			want := map[string]any{"organization": "acme", "id": pool.Text("id")}
			expectIdentity := func(o acctest.Object) {
				t.Helper()
				if got := pools.IdentityOf(o); !reflect.DeepEqual(got, want) {
					t.Errorf("identity %v, want %v", got, want)
				}
			}
			expectIdentity(pool)
			expectIdentity(pools.MustRead(t, pool))
			expectIdentity(pools.MustApply(t, pool, acctest.Values{"name": "renamed"}))
			expectIdentity(pools.MustApply(t, pool, acctest.Values{"name": "runners", "force_destroy": true}))
			imported, diagnostics := pools.Import(t.Context(), "acme/"+pool.Text("id"))
			if diagnostics.HasError() {
				t.Fatal(diagnostics)
			}
			expectIdentity(imported)
			expectIdentity(pools.MustRead(t, imported))

			stop := cloud.intercept("", respondError(http.StatusForbidden, "no"))
			kept, diagnostics := pools.Apply(t.Context(), pool, acctest.Values{"name": "again"})
			expectError(t, diagnostics, "Permission denied")
			expectIdentity(kept)
			clock.advance(time.Hour)
			kept, diagnostics = pools.Read(t.Context(), pool)
			expectError(t, diagnostics, "Permission denied")
			expectIdentity(kept)
			stop()
			clock.advance(time.Hour)

			mustDo(t, cloud.DeleteAgentPool("acme", pool.Text("id")))
			gone, diagnostics := pools.Read(t.Context(), pool)
			expectWarning(t, diagnostics, "Agent pool no longer exists", pool.Text("id"))
			if gone.Exists() {
				t.Error("the agent pool is still in the state")
			}
			expectIdentity(gone)
		})
	}
}

func TestAgentPool_providerConfigurationNotKnown(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pool := cloud.poolInAcme(t)
	pools := cloud.provider(t, acctest.Values{"access_token": tftypes.UnknownValue}).Resource(poolType)

	change, diagnostics := pools.Plan(t.Context(), pool, acctest.Values{"name": "renamed"})
	expectNone(t, diagnostics)
	if change.Action != acctest.Update {
		t.Errorf("the plan is %s, want %s", change.Action, acctest.Update)
	}
	const summary = "Provider configuration is not known yet"
	refreshed, diagnostics := pools.Read(t.Context(), pool)
	expectWarning(t, diagnostics, summary, "was not refreshed", "access_token", "-target")
	_, failed := pools.Import(t.Context(), "acme/"+pool.Text("id"))
	expectError(t, failed, summary)
	kept, failed := pools.Destroy(t.Context(), pool)
	expectError(t, failed, summary)
	if diagnostics.HasError() || !refreshed.Value.Equal(pool.Value) || !kept.Exists() {
		t.Error("the state has changed without a request")
	}
	cloud.expectRequests(t)
}

func TestAgentPool_notConfigured(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pool := cloud.poolInAcme(t)
	invalid := newProvider(t)
	config := acctest.Values{"api_url": cloud.url, "access_token": accessToken, "ca_cert_file": "missing"}
	expectError(t, invalid.Configure(t.Context(), config), "Invalid CA certificate file")
	for summary, p := range map[string]*acctest.Provider{
		"Provider not configured":     newProvider(t),
		"Missing access token":        cloud.provider(t, acctest.Values{"access_token": nil}),
		"Invalid CA certificate file": invalid,
	} {
		pools := p.Resource(poolType)
		_, diagnostics := pools.Apply(t.Context(), pools.Absent(), acctest.Values{"name": "others", "organization": "acme"})
		expectError(t, diagnostics, summary)
		_, diagnostics = pools.Read(t.Context(), pool)
		expectError(t, diagnostics, summary)
		_, diagnostics = pools.Import(t.Context(), "acme/runners")
		expectError(t, diagnostics, summary)
	}
	pools := cloud.provider(t, acctest.Values{"access_token": nil}).Resource(poolType)
	_, diagnostics := pools.Plan(t.Context(), pools.Absent(), acctest.Values{"name": "others"})
	expectError(t, diagnostics, "Missing access token", "PULUMI_ACCESS_TOKEN")
	cloud.expectRequests(t)
}

func TestAgentPool_storeToken(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	discarding := acctest.Values{"name": "runners", "store_token": false}
	change, diagnostics := pools.Plan(t.Context(), pools.Absent(), discarding)
	expectNone(t, diagnostics)
	planned := acctest.Attributes(change.Planned.Value)
	if planned["token"] != nil || planned["encrypted_token"] != nil {
		t.Errorf("planned token %v and encrypted_token %v, want null", planned["token"], planned["encrypted_token"])
	}
	pool, diagnostics := pools.ApplyChange(t.Context(), change)
	expectNone(t, diagnostics)

	expectChange := func(config acctest.Values, action acctest.Action, hasToken bool, writes ...string) {
		t.Helper()
		cloud.ResetRequests()
		change, diagnostics := pools.Plan(t.Context(), pool, config)
		expectNone(t, diagnostics)
		if change.Action != action {
			t.Fatalf("the plan is %s, want %s", change.Action, action)
		}
		pool, diagnostics = pools.ApplyChange(t.Context(), change)
		expectNone(t, diagnostics)
		if cloud.TokenMatches("acme", pool.Text("id"), pool.Text("token")) != hasToken || !hasToken && pool.Text("token") != "" {
			t.Errorf("the state has the token: %t, want %t", !hasToken, hasToken)
		}
		cloud.expectWrites(t, writes...)
	}
	expectChange(discarding, acctest.NoOp, false)
	expectChange(acctest.Values{"name": "renamed", "store_token": false}, acctest.Update, false, "PATCH")
	rotated := acctest.Values{"name": "renamed", "store_token": false, "rotate_triggers": triggers("2026-11")}
	expectChange(rotated, acctest.Replace, false, "DELETE", "POST")
	expectChange(acctest.Values{"name": "runners"}, acctest.Replace, true, "DELETE", "POST")
	expectChange(discarding, acctest.Update, false)
	expectChange(acctest.Values{"name": "runners", "store_token": true}, acctest.Replace, true, "DELETE", "POST")
}

func TestAgentPool_interruptedKeepsState(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	pools := cloud.acme(t)
	pool := pools.MustApply(t, pools.Absent(), acctest.Values{"name": "runners"})
	cloud.intercept("", func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		stopProvider(t, pools)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
	read, diagnostics := pools.Read(t.Context(), pool)
	expectError(t, diagnostics, "Request canceled")
	updated, diagnostics := pools.Apply(t.Context(), pool, acctest.Values{"name": "renamed"})
	expectError(t, diagnostics, "Request canceled")
	deleted, diagnostics := pools.Destroy(t.Context(), pool)
	expectError(t, diagnostics, "Request canceled")
	for operation, kept := range map[string]acctest.Object{"read": read, "update": updated, "delete": deleted} {
		if !kept.Value.Equal(pool.Value) {
			t.Errorf("the state has changed after an interrupted %s", operation)
		}
	}
}

func TestAgentPool_warnings(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	// Pulumi Cloud may send a warning with each response, and the provider shows each text once.
	cloud.intercept("", func(w http.ResponseWriter, r *http.Request, api http.Handler) { warn(r.Method)(w, r, api) })
	const summary = "Warning from Pulumi Cloud"
	pools := cloud.acme(t)
	config := acctest.Values{"name": "runners", "organization": "acme"}
	change, diagnostics := pools.Plan(t.Context(), pools.Absent(), config)
	expectNone(t, diagnostics)
	pool, diagnostics := pools.ApplyChange(t.Context(), change)
	if len(diagnostics) != 2 || diagnostics[0].Detail != "GET" || diagnostics[1].Detail != "POST" {
		t.Errorf("diagnostics: %s", diagnostics)
	}
	_, diagnostics = pools.Read(t.Context(), pool)
	expectNone(t, diagnostics)
	pool, diagnostics = pools.Apply(t.Context(), pool, acctest.Values{"name": "renamed"})
	expectWarning(t, diagnostics, summary, "PATCH")
	_, diagnostics = pools.Destroy(t.Context(), pool)
	expectWarning(t, diagnostics, summary, "DELETE")
	pools = cloud.acme(t)
	_, diagnostics = pools.Read(t.Context(), cloud.poolInAcme(t))
	expectWarning(t, diagnostics, summary, "GET")
}

func TestAgentPool_validation(t *testing.T) {
	t.Parallel()
	pools := newProvider(t).Resource(poolType)
	const conflict, duration = "Conflicting configuration arguments", "Invalid duration"
	for name, test := range map[string]struct {
		config  acctest.Values
		summary string
		texts   []string
	}{
		"no name":   {acctest.Values{}, "Missing required argument", []string{`AttributeName("name")`, "name_prefix"}},
		"two names": {acctest.Values{"name": "a", "name_prefix": "b"}, conflict, []string{`AttributeName("name")`, "name_prefix"}},
		"empty name": {
			acctest.Values{"name": ""}, "Invalid value", []string{`AttributeName("name")`, "must not be empty"},
		},
		"empty prefix":    {acctest.Values{"name_prefix": ""}, "Invalid value", []string{"must not be empty"}},
		"space in prefix": {acctest.Values{"name_prefix": " a"}, "Invalid name", []string{"start or end with white space"}},
		"tab in prefix":   {acctest.Values{"name_prefix": "a\tb"}, "Invalid name", []string{"tabs"}},
		"token as name": {
			acctest.Values{"name": accessToken}, "Token in the wrong argument", []string{`AttributeName("name")`},
		},
		"empty organization": {acctest.Values{"name": "a", "organization": ""}, "Invalid name", []string{"must not be empty"}},
		"organization with white space": {
			acctest.Values{"name": "a", "organization": "acme "}, "Invalid name", []string{"white space"},
		},
		"organization with slash": {
			acctest.Values{"name": "a", "organization": "acme/web"}, "Invalid name", []string{"slashes"},
		},
		"token as organization": {
			acctest.Values{"name": "a", "organization": accessToken}, "Token in the wrong argument", nil,
		},
		"duration without unit": {acctest.Values{"name": "a", "drain_timeout": "30"}, duration, []string{`"30"`, `"30s"`}},
		"negative duration":     {acctest.Values{"name": "a", "drain_timeout": "-1m"}, duration, nil},
		"recipients of a token that is not stored": {
			acctest.Values{"name": "a", "store_token": false, "token_recipients": stringList(ageRecipient)},
			conflict,
			[]string{`AttributeName("token_recipients")`, "store_token"},
		},
		"unknown values": {
			acctest.Values{
				"name": tftypes.UnknownValue, "organization": tftypes.UnknownValue, "drain_timeout": tftypes.UnknownValue,
				"store_token": tftypes.UnknownValue, "token_recipients": tftypes.UnknownValue,
			}, "", nil,
		},
		"unknown prefix": {acctest.Values{"name_prefix": tftypes.UnknownValue}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			diagnostics := pools.ValidateConfig(t.Context(), test.config)
			if test.summary == "" {
				expectNone(t, diagnostics)
				return
			}
			expectError(t, diagnostics, test.summary, test.texts...)
			if strings.Contains(diagnostics.String(), accessToken) {
				t.Error("the diagnostic has the token")
			}
		})
	}
}

// The name is checked during plan, so that an existing agent pool may have any name.
func TestAgentPool_invalidName(t *testing.T) {
	t.Parallel()
	cloud := startPulumiCloud(t, emulator.Options{})
	existing := cloud.mustCreate(t, "acme", "runners ", "")
	pools := cloud.acme(t)
	imported, diagnostics := pools.Import(t.Context(), "acme/"+existing.ID)
	expectWarning(t, diagnostics, "Agent pool imported without its token")
	imported = pools.MustRead(t, imported)
	change, diagnostics := pools.Plan(t.Context(), imported, acctest.Values{"name": "runners "})
	expectNone(t, diagnostics)
	if change.Action != acctest.NoOp {
		t.Errorf("the plan is %s, want %s", change.Action, acctest.NoOp)
	}
	cloud.ResetRequests()
	for name, reason := range map[string]string{
		" runners": "white space", "runners\u00a0": "white space", "run\nners": "line breaks", "run\x1bners": "control characters",
	} {
		for _, prior := range []acctest.Object{pools.Absent(), imported} {
			_, diagnostics := pools.Plan(t.Context(), prior, acctest.Values{"name": name})
			expectError(t, diagnostics, "Invalid name", `AttributeName("name")`, reason)
		}
	}
	for _, name := range []string{"the / runners", "Läufer 走者 🏃"} {
		_, diagnostics := pools.Plan(t.Context(), imported, acctest.Values{"name": name})
		expectNone(t, diagnostics)
	}
}

// stringList returns the value of a list or set of strings.
func stringList(texts ...string) []tftypes.Value {
	values := make([]tftypes.Value, 0, len(texts))
	for _, text := range texts {
		values = append(values, tftypes.NewValue(tftypes.String, text))
	}
	return values
}
