package emulator_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/pulumi/pulumi-cloud-sdk/go/apitype"
	"github.com/pulumi/pulumi-cloud-sdk/go/apitype/jsonvalue"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

func TestContract_stacks(t *testing.T) {
	c := newContract(t, emulator.Options{})
	request := apitype.AppCreateStackRequest{StackName: "dev", Tags: map[string]string{"pulumi:project": "shop"}}
	created, err := c.CreateStack(c.ctx, "acme", "shop", request)
	decoded(t, c, created, err)
	stack, err := c.GetStack(c.ctx, "acme", "shop", "dev")
	decoded(t, c, stack, err)
	if stack.OrgName != "acme" || stack.ProjectName != "shop" || stack.StackName != "dev" {
		t.Errorf("stack %+v, want acme/shop/dev", stack)
	}

	_, err = c.CreateStack(c.ctx, "acme", "shop", request)
	wantStatus(t, err, http.StatusConflict)
	_, err = c.CreateStack(c.ctx, "acme", "shop", apitype.AppCreateStackRequest{})
	wantStatus(t, err, http.StatusBadRequest)
	_, err = c.CreateStack(c.ctx, "unknown", "shop", request)
	wantStatus(t, err, http.StatusNotFound)
	_, err = c.GetStack(c.ctx, "acme", "shop", "prod")
	wantStatus(t, err, http.StatusNotFound)
}

func TestContract_deploymentSettings(t *testing.T) {
	c := newContract(t, emulator.Options{})
	pool, _ := mustCreate(t, c.Server, "one")
	mustDo(t, c.Server.CreateStack("acme", emulator.Stack{Project: "shop", Name: "dev"}))
	patch := func(request apitype.DeploymentSettingsRequest) *apitype.DeploymentSettings {
		t.Helper()
		settings, err := c.PatchDeploymentSettings(c.ctx, "acme", "shop", "dev", request)
		return decoded(t, c, settings, err)
	}
	get := func() (*apitype.DeploymentSettings, error) {
		return c.GetDeploymentSettings(c.ctx, "acme", "shop", "dev")
	}

	_, err := get()
	wantStatus(t, err, http.StatusNotFound)
	_, err = c.DeleteDeploymentSettings(c.ctx, "acme", "shop", "dev")
	wantStatus(t, err, http.StatusNotFound)

	settings := patch(apitype.DeploymentSettingsRequest{AgentPoolID: jsonvalue.NotNull(pool.ID)})
	if settings.Version != 1 || settings.AgentPoolID == nil || *settings.AgentPoolID != pool.ID {
		t.Errorf("settings %+v, want version 1 and the pool", settings)
	}
	settings = patch(apitype.DeploymentSettingsRequest{
		Tag: jsonvalue.NotNull("a tag"),
		SourceContext: jsonvalue.NotNull(apitype.SourceContextRequest{
			Git: jsonvalue.NotNull(apitype.SourceContextGitRequest{
				RepoURL: jsonvalue.NotNull("https://example.com/shop.git"), Branch: jsonvalue.NotNull("main"),
			}),
		}),
	})
	if settings.Version != 2 || settings.AgentPoolID == nil || settings.Tag != "a tag" {
		t.Errorf("settings %+v, want version 2 with the pool and the tag", settings)
	}
	// Null removes a field at any depth and keeps its siblings.
	settings = patch(apitype.DeploymentSettingsRequest{
		AgentPoolID: jsonvalue.Null[string](),
		SourceContext: jsonvalue.NotNull(apitype.SourceContextRequest{
			Git: jsonvalue.NotNull(apitype.SourceContextGitRequest{Branch: jsonvalue.Null[string]()}),
		}),
	})
	git := settings.SourceContext.Git
	if bytes.Contains(c.body, []byte("agentPoolID")) || git.Branch != "" || git.RepoURL == "" || settings.Tag != "a tag" {
		t.Errorf("settings %s, want no pool, no branch and the rest", c.body)
	}

	settings, err = c.ReplaceDeploymentSettings(c.ctx, "acme", "shop", "dev",
		apitype.DeploymentSettingsRequest{AgentPoolID: jsonvalue.NotNull(pool.ID)})
	decoded(t, c, settings, err)
	if settings.Tag != "" || settings.SourceContext != nil || settings.Version != 4 {
		t.Errorf("settings %+v, want version 4 with nothing but the pool", settings)
	}
	// A forced delete removes the pool from the settings.
	mustDo(t, c.DeleteAgentPool("acme", pool.ID))
	settings, err = get()
	decoded(t, c, settings, err)
	if settings.AgentPoolID != nil || bytes.Contains(c.body, []byte("agentPoolID")) {
		t.Errorf("settings %s after the pool was deleted, want no pool", c.body)
	}
	deleted, err := c.DeleteDeploymentSettings(c.ctx, "acme", "shop", "dev")
	if !*decoded(t, c, deleted, err) {
		t.Error("the response to a delete is not true")
	}
	_, err = get()
	wantStatus(t, err, http.StatusNotFound)
}

func TestContract_deploymentSettingsErrors(t *testing.T) {
	c := newContract(t, emulator.Options{})
	pool, _ := mustCreate(t, c.Server, "one")
	mustDo(t, c.Server.CreateStack("acme", emulator.Stack{Project: "shop", Name: "dev"}))
	mustDo(t, c.Server.CreateStack("acme", emulator.Stack{Project: "shop", Name: "tf", Terraform: true}))
	for _, test := range []struct {
		stack, pool string
		mode        emulator.Mode
		status      int
	}{
		{stack: "dev", pool: uuid.NewString(), status: http.StatusBadRequest},
		{stack: "tf", pool: pool.ID, status: http.StatusBadRequest},
		{stack: "unknown", pool: pool.ID, status: http.StatusNotFound},
		{stack: "dev", pool: pool.ID, mode: emulator.ModeNoAgentPools402, status: http.StatusPaymentRequired},
		{stack: "dev", pool: pool.ID, mode: emulator.ModeExpiryPolicy, status: http.StatusForbidden},
	} {
		mustDo(t, c.SetModes())
		if test.mode != "" {
			mustDo(t, c.SetModes(test.mode))
		}
		request := apitype.DeploymentSettingsRequest{AgentPoolID: jsonvalue.NotNull(test.pool)}
		_, err := c.PatchDeploymentSettings(c.ctx, "acme", "shop", test.stack, request)
		wantStatus(t, err, test.status)
		_, err = c.ReplaceDeploymentSettings(c.ctx, "acme", "shop", test.stack, request)
		wantStatus(t, err, test.status)
	}
	mustDo(t, c.SetModes())
	_, err := c.GetDeploymentSettings(c.ctx, "acme", "shop", "unknown")
	wantStatus(t, err, http.StatusNotFound)
	if _, err := c.GetDeploymentSettings(c.ctx, "acme", "shop", "dev"); err == nil {
		t.Error("a refused request created settings")
	}
}

func TestContract_deployments(t *testing.T) {
	c := newContract(t, emulator.Options{})
	pool, _ := mustCreate(t, c.Server, "one")
	other, _ := mustCreate(t, c.Server, "two")
	mustDo(t, c.Server.CreateStack("acme", emulator.Stack{Project: "shop", Name: "dev"}))
	mustDo(t, c.SetStackPool("acme", "shop", "prod", pool.ID))
	start := func(stack string) string {
		t.Helper()
		id, err := c.StartDeployment("acme", "shop", stack)
		mustDo(t, err)
		return id
	}
	hosted := start("dev")
	mustDo(t, c.SetDefaultAgentPool("acme", other.ID))
	byDefault, own, finished := start("dev"), start("prod"), start("prod")
	// The deployments keep the pools that they started with.
	mustDo(t, c.SetStackPool("acme", "shop", "prod", ""))
	mustDo(t, c.SetDeploymentStatus("acme", own, emulator.DeploymentRunning))
	mustDo(t, c.SetDeploymentStatus("acme", finished, emulator.DeploymentSucceeded))
	mustDo(t, c.DeleteAgentPool("acme", pool.ID))

	type row struct{ id, stack, status, pool string }
	var got []row
	size := 3
	for page := 1; page <= 2; page++ {
		list, err := c.ListOrgDeployments(c.ctx, "acme", nil, &page, &size, nil)
		decoded(t, c, list, err)
		if list.Total != 4 || list.ItemsPerPage != 3 {
			t.Errorf("total %d, page size %d, want 4 and 3", list.Total, list.ItemsPerPage)
		}
		for _, d := range list.Deployments {
			r := row{d.ID, d.StackName, string(d.Status), ""}
			if d.AgentPool != nil {
				r.pool = *d.AgentPool.Name
			}
			got = append(got, r)
		}
	}
	want := []row{
		{finished, "prod", "succeeded", "one"},
		{own, "prod", "failed", "one"},
		{byDefault, "dev", "accepted", "two"},
		{hosted, "dev", "accepted", ""},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("deployments (-want +got):\n%s", diff)
	}
	oldestFirst := true
	list, err := c.ListOrgDeployments(c.ctx, "acme", &oldestFirst, nil, nil, nil)
	if decoded(t, c, list, err).Deployments[0].ID != hosted {
		t.Error("the oldest deployment is not the first in ascending order")
	}

	tooLarge := 101
	_, err = c.ListOrgDeployments(c.ctx, "acme", nil, nil, &tooLarge, nil)
	wantStatus(t, err, http.StatusBadRequest)
	_, err = c.ListOrgDeployments(c.ctx, "unknown", nil, nil, nil, nil)
	wantStatus(t, err, http.StatusNotFound)
	_, err = c.StartDeployment("acme", "shop", "unknown")
	wantCode(t, err, http.StatusNotFound)
	wantCode(t, c.SetDeploymentStatus("acme", finished, emulator.DeploymentRunning), http.StatusConflict)
	wantCode(t, c.SetDeploymentStatus("acme", "unknown", emulator.DeploymentRunning), http.StatusNotFound)
}
