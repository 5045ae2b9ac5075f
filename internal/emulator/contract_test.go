package emulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/pulumi/pulumi-cloud-sdk/go/apiclient"
	"github.com/pulumi/pulumi-cloud-sdk/go/apitype"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// contract drives the emulator through Pulumi's own SDK. The emulator validates its responses against openapi.yaml and
// reports a mismatch with status 500, so that each call holds description, emulator and SDK against each other.
type contract struct {
	*api
	*apiclient.CloudClient

	ctx   context.Context //nolint:containedctx // It is the context of the test.
	token string
	// body is the body of the last response.
	body []byte
}

func newContract(t *testing.T, options emulator.Options) *contract {
	t.Helper()
	c := &contract{api: newAPI(t, options), ctx: t.Context(), token: accessToken}
	c.CloudClient = &apiclient.CloudClient{BaseURL: c.url, Executor: func(r *http.Request) (*http.Response, error) {
		r.Header.Set("Authorization", "token "+c.token)
		resp, err := c.client.Do(r) //nolint:gosec // The URL is that of the emulator.
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		c.body, err = io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(c.body))
		return resp, err
	}}
	return c
}

// decoded checks that the last response has each field that is required for the SDK's type and no field that the type
// does not have, and returns the result.
func decoded[T any](t *testing.T, c *contract, result *T, err error) *T {
	t.Helper()
	if err != nil {
		t.Fatalf("%v: %s", err, redact(c.body))
	}
	var body any
	if err := json.Unmarshal(c.body, &body); err != nil {
		t.Fatal(err)
	}
	checkFields(t, reflect.TypeFor[T]().Name(), reflect.TypeFor[T](), body)
	return result
}

func checkFields(t *testing.T, path string, typ reflect.Type, value any) {
	t.Helper()
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			checkFields(t, path+"[]", typ.Elem(), item)
		}
	case map[string]any:
		if typ.Kind() != reflect.Struct {
			return // A map or an interface.
		}
		known := make(map[string]bool)
		for _, field := range reflect.VisibleFields(typ) {
			name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			if field.Anonymous || name == "" {
				continue
			}
			known[name] = true
			if nested, ok := value[name]; ok {
				checkFields(t, path+"."+name, field.Type, nested)
			} else if options == "" {
				t.Errorf("%s lacks the required field %s", path, name)
			}
		}
		for name := range value {
			if !known[name] {
				t.Errorf("%s has the field %s, which the SDK does not know", path, name)
			}
		}
	}
}

// wantStatus checks that an operation failed with this status, in the form that the SDK understands.
func wantStatus(t *testing.T, err error, status int) {
	t.Helper()
	apiErr, ok := errors.AsType[*apiclient.APIError](err)
	if !ok || apiErr.HTTPStatusCode() != status {
		t.Errorf("error %v, want status %d", err, status)
	} else if message := apiErr.ResponseMessage(); !strings.HasPrefix(message, http.StatusText(status)+": ") {
		t.Errorf("message %q does not start with the status text", message)
	}
}

func TestContract_user(t *testing.T) {
	c := newContract(t, emulator.Options{Organizations: []string{"acme", "globex"}})
	user, err := c.GetCurrentUser(c.ctx)
	decoded(t, c, user, err)
	if user.GitHubLogin == "" || len(user.Organizations) != 2 || user.Organizations[1].GitHubLogin != "globex" {
		t.Errorf("user %+v, want a login and both organizations", user)
	}
	capabilities, err := c.Capabilities(c.ctx)
	decoded(t, c, capabilities, err)

	mustDo(t, c.UpdateDefaultOrganization(c.ctx, "globex"))
	organization, err := c.GetDefaultOrganization(c.ctx)
	if decoded(t, c, organization, err).GitHubLogin != "globex" {
		t.Errorf("default organization %q, want globex", organization.GitHubLogin)
	}
	wantStatus(t, c.UpdateDefaultOrganization(c.ctx, "unknown"), http.StatusNotFound)
}

func TestContract_agentPools(t *testing.T) {
	clock := newClock()
	c := newContract(t, emulator.Options{Now: clock.Now})
	request := apitype.CreateOrgAgentPoolRequest{Name: "one", Description: "First"}
	created, err := c.CreateOrgAgentPool(c.ctx, "acme", request)
	decoded(t, c, created, err)
	if !c.TokenMatches("acme", created.ID, created.TokenValue) {
		t.Error("the token is not that of the pool")
	}
	second, _ := mustCreate(t, c.Server, "two")

	agent := emulator.Agent{Hostname: "host-1", PID: "42", Version: "1.0", IP: "10.0.0.1"}
	mustDo(t, c.ConnectAgent("acme", created.ID, agent))
	mustDo(t, c.SetDefaultAgentPool("acme", second.ID))
	mustDo(t, c.Server.CreateStack("acme", emulator.Stack{Project: "shop", Name: "dev"}))
	_, err = c.StartDeployment("acme", "shop", "dev")
	mustDo(t, err)
	now := clock.Now().Unix()

	list, err := c.ListOrgAgentPool(c.ctx, "acme")
	want := &apitype.ListAgentPoolsResponse{
		AgentPools: []*apitype.AgentPool{
			{ID: created.ID, Name: "one", Description: "First", Created: now, LastSeen: now, Status: "online"},
			{ID: second.ID, Name: "two", Created: now, Status: "offline", LastDeployment: &now, IsDefault: true},
		},
		DefaultAgentPoolID: &second.ID,
	}
	if diff := cmp.Diff(want, decoded(t, c, list, err)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}

	patched, err := c.PatchOrgAgentPool(c.ctx, "acme", created.ID, apitype.CreateOrgAgentPoolRequest{Name: "uno"})
	if diff := cmp.Diff(&apitype.PatchOrgAgentPoolResponse{Name: "uno"}, decoded(t, c, patched, err)); diff != "" {
		t.Errorf("patch (-want +got):\n%s", diff)
	}

	detail, err := c.GetAgentPool(c.ctx, "acme", created.ID)
	wantDetail := &apitype.AgentPoolDetail{
		ID: created.ID, Name: "uno", Created: now,
		Agents: []*apitype.DeploymentAgentMetadata{
			{Hostname: "host-1", PID: "42", Version: "1.0", IP: "10.0.0.1", LastSeen: now, Status: "online"},
		},
	}
	if diff := cmp.Diff(wantDetail, decoded(t, c, detail, err)); diff != "" {
		t.Errorf("detail (-want +got):\n%s", diff)
	}

	mustDo(t, c.DeleteOrgAgentPool(c.ctx, "acme", created.ID, nil))
	if pools := c.AgentPools("acme"); len(pools) != 1 || pools[0].ID != second.ID {
		t.Errorf("pools %+v, want the second only", pools)
	}
}

func TestContract_agentPoolErrors(t *testing.T) {
	c := newContract(t, emulator.Options{})
	pool, _ := mustCreate(t, c.Server, "one")
	mustCreate(t, c.Server, "two")
	mustDo(t, c.SetStackPool("acme", "shop", "dev", pool.ID))
	force := true
	create := func(org, name string) error {
		_, err := c.CreateOrgAgentPool(c.ctx, org, apitype.CreateOrgAgentPoolRequest{Name: name})
		return err
	}
	patch := func(id, name string) error {
		_, err := c.PatchOrgAgentPool(c.ctx, "acme", id, apitype.CreateOrgAgentPoolRequest{Name: name})
		return err
	}
	list := func() error {
		_, err := c.ListOrgAgentPool(c.ctx, "acme")
		return err
	}
	get := func(id string) error {
		_, err := c.GetAgentPool(c.ctx, "acme", id)
		return err
	}
	wantStatus(t, create("acme", ""), http.StatusBadRequest)
	wantStatus(t, create("acme", "one"), http.StatusConflict)
	wantStatus(t, create("unknown", "one"), http.StatusNotFound)
	wantStatus(t, patch(pool.ID, ""), http.StatusBadRequest)
	wantStatus(t, patch(pool.ID, "two"), http.StatusConflict)
	wantStatus(t, patch(uuid.NewString(), "three"), http.StatusNotFound)
	wantStatus(t, get(uuid.NewString()), http.StatusNotFound)
	wantStatus(t, c.DeleteOrgAgentPool(c.ctx, "acme", pool.ID, nil), http.StatusBadRequest)
	wantStatus(t, c.DeleteOrgAgentPool(c.ctx, "acme", uuid.NewString(), &force), http.StatusNotFound)

	for mode, status := range map[emulator.Mode]int{
		emulator.ModeNoAgentPools402: http.StatusPaymentRequired,
		emulator.ModeNoAgentPools403: http.StatusForbidden,
		emulator.ModeExpiryPolicy:    http.StatusForbidden,
		emulator.ModeSAMLLogin:       http.StatusUnauthorized,
	} {
		mustDo(t, c.SetModes(mode))
		for _, err := range []error{
			list(), create("acme", "three"), get(pool.ID), patch(pool.ID, "three"),
			c.DeleteOrgAgentPool(c.ctx, "acme", pool.ID, &force),
		} {
			wantStatus(t, err, status)
		}
	}
	mustDo(t, c.SetModes())
	mustDo(t, c.DeleteOrgAgentPool(c.ctx, "acme", pool.ID, &force))
}

func TestContract_organization(t *testing.T) {
	c := newContract(t, emulator.Options{})
	pool, _ := mustCreate(t, c.Server, "one")
	yes, no, text, days, none := true, false, "text", 0, ""
	stacks, environments := apitype.StackPermissionRead, apitype.EnvironmentPermissionRead
	accounts := apitype.InsightsAccountPermissionRead
	approval, sharing := apitype.NeoApprovalModeAuto, apitype.NeoTaskSharingModeOrg
	vcs, permissions := apitype.PreferredVCSGitHub, apitype.OrganizationPermissionModeRestricted
	all := apitype.UpdateOrganizationRequest{
		SetDefaultStackPermission: &stacks, SetDefaultEnvironmentPermission: &environments,
		SetDefaultAccountPermission: &accounts, SetMembersCanCreateStacks: &no, SetMembersCanInviteCollaborators: &no,
		SetMembersCanDeleteStacks: &no, SetMembersCanTransferStacks: &no, SetMembersCanCreateAccounts: &no,
		SetMembersCanCreateTeams: &no, SetAiEnablement: &text, SetNeoEnabled: &no, SetNeoApprovalMode: &approval,
		SetNeoTaskSharingMode: &sharing, SetNeoCLIExplanationsDisabled: &yes, SetNaturalLanguageSearchDisabled: &yes,
		SetNeoAgentDisabled: &yes, SetPreferredVCS: &vcs, SetDefaultDeploymentRoleID: &text,
		SetDefaultAgentPoolID: &pool.ID, SetMaxAccessTokenExpiryDays: &days, SetPermissionMode: &permissions,
	}
	for i := range reflect.ValueOf(all).NumField() {
		if reflect.ValueOf(all).Field(i).IsNil() {
			t.Errorf("%s is not tested", reflect.TypeOf(all).Field(i).Name)
		}
	}
	metadata, err := c.UpdateOrganizationSettings(c.ctx, "acme", all)
	decoded(t, c, metadata, err)
	if metadata.NeoEnabled || !metadata.NeoAgentDisabled || metadata.DefaultStackPermission != stacks ||
		metadata.PreferredVCS != vcs || !metadata.Features.AgentPoolRegistrationEnabled {
		t.Errorf("metadata after the change: %+v", metadata)
	}
	if pools := c.AgentPools("acme"); !pools[0].IsDefault {
		t.Error("the pool is not the default")
	}
	_, err = c.UpdateOrganizationSettings(c.ctx, "acme", apitype.UpdateOrganizationRequest{SetNeoEnabled: &yes})
	mustDo(t, err)
	metadata, err = c.GetOrganizationMetadata(c.ctx, "acme")
	decoded(t, c, metadata, err)
	if !metadata.NeoEnabled || metadata.MembersCanCreateStacks || !c.AgentPools("acme")[0].IsDefault {
		t.Error("a change of one setting did not keep the others")
	}
	_, err = c.UpdateOrganizationSettings(c.ctx, "acme", apitype.UpdateOrganizationRequest{SetDefaultAgentPoolID: &none})
	mustDo(t, err)
	if c.AgentPools("acme")[0].IsDefault {
		t.Error("an empty ID did not remove the default")
	}

	unknown := uuid.NewString()
	all = apitype.UpdateOrganizationRequest{SetDefaultAgentPoolID: &unknown}
	_, err = c.UpdateOrganizationSettings(c.ctx, "acme", all)
	wantStatus(t, err, http.StatusBadRequest)
	_, err = c.GetOrganizationMetadata(c.ctx, "unknown")
	wantStatus(t, err, http.StatusNotFound)
	for _, mode := range []emulator.Mode{emulator.ModeNoAgentPools402, emulator.ModeNoAgentPools403} {
		mustDo(t, c.SetModes(mode))
		metadata, err = c.GetOrganizationMetadata(c.ctx, "acme")
		features := decoded(t, c, metadata, err).Features
		if features.AgentPoolRegistrationEnabled || features.SelfHostedDeploymentsEnabled {
			t.Errorf("%s: the features include agent pools", mode)
		}
	}
}

func TestContract_invalidAccessToken(t *testing.T) {
	c := newContract(t, emulator.Options{})
	c.token = "wrong"
	_, err := c.ListOrgAgentPool(c.ctx, "acme")
	wantStatus(t, err, http.StatusUnauthorized)
	_, err = c.GetCurrentUser(c.ctx)
	wantStatus(t, err, http.StatusUnauthorized)
}

func TestContract_tokenExchange(t *testing.T) {
	c := newContract(t, emulator.Options{})
	a := newExchangeAPI(t, emulator.Options{MaxTokenLifetime: 3 * time.Hour})
	c.BaseURL = a.url
	for _, test := range []struct {
		tokenType         string
		scope, expiration any // nil is left out
		expiresIn         int64
	}{
		{"organization", nil, nil, 7200},
		{"organization", "", 0, 7200},
		{"organization", "admin", 1, 1},
		{"organization", "admin", 86400, 10800}, // The issuer's maximum.
		{"team", "team:platform", 600, 600},
		{"personal", "user:jane", 600, 600},
		{"runner", "runner:a/b *", 600, 600},
	} {
		result, err := c.Token(c.ctx, fields(a.idToken(nil), map[string]any{
			"requested_token_type": tokenTypeBase + test.tokenType, "scope": test.scope, "expiration": test.expiration,
		}))
		decoded(t, c, result, err)
		scope, _ := test.scope.(string)
		if result.ExpiresIn != test.expiresIn || result.Scope != scope || result.TokenType == "" ||
			result.IssuedTokenType != tokenTypeBase+test.tokenType {
			t.Errorf("%s, %v, %v: %s", test.tokenType, test.scope, test.expiration, redact(c.body))
		}
		if !regexp.MustCompile(`^pul-[0-9a-f]{40}$`).MatchString(result.AccessToken) {
			t.Errorf("%s: the access token does not have the format of Pulumi's", test.tokenType)
		}
	}
}
