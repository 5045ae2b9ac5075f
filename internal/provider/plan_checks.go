package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// markWrite marks the start of a write, after which plans in this process no longer read the list: an apply plans each
// resource again. It waits for a plan that is reading the list.
func (d *providerData) markWrite() {
	d.wroteLock.Lock()
	defer d.wroteLock.Unlock()
	d.wrote = true
}

// planList returns the list of agent pools for checks during plan, or nil if there is none. Only an error with which the
// apply would fail for certain is one during plan. Any other may be gone by then.
func (d *providerData) planList(ctx context.Context, organization string) (*pulumiapi.AgentPoolList, diag.Diagnostics) {
	if d.client == nil || organization == "" {
		return nil, nil
	}
	// A write that began now would make concurrent plans read the list once more.
	d.wroteLock.RLock()
	defer d.wroteLock.RUnlock()
	if d.wrote {
		return nil, nil
	}
	list, err := d.client.AgentPools(ctx, organization)
	if isRejected(err) {
		return nil, diag.Diagnostics{d.errorDiagnostic(readContext(organization, "list the agent pools"), err)}
	}
	return list, nil
}

// isRejected reports whether err is a rejected access token, a rejected or missing ID token, an organization that the
// access token cannot see, or an edition without agent pools.
func isRejected(err error) bool {
	err = withoutAuthentication(err)
	if api, ok := errors.AsType[*pulumiapi.APIError](err); ok && api.IsAPIResponse && api.StatusCode == http.StatusUnauthorized {
		return true
	}
	return isA[*pulumiapi.ExchangeRefusedError](err) || isA[*credentials.SettingsError](err) ||
		isA[*pulumiapi.OrganizationNotFoundError](err) || isA[*pulumiapi.FeatureNotAvailableError](err)
}

// withPoolReference is embedded in resources with an agent_pool_id, which it checks during plan.
type withPoolReference struct{ withProviderData }

func (r *withPoolReference) ModifyPlan(
	ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	r.data.planOrganization(ctx, req, resp)
	if req.Plan.Raw.IsNull() {
		return
	}
	attribute := path.Root("agent_pool_id")
	var organization, id types.String
	resp.Diagnostics.Append(resp.Plan.GetAttribute(ctx, organizationPath, &organization)...)
	resp.Diagnostics.Append(resp.Plan.GetAttribute(ctx, attribute, &id)...)
	if resp.Diagnostics.HasError() || id.ValueString() == "" {
		return
	}
	list, diags := r.data.planList(ctx, organization.ValueString())
	resp.Diagnostics.Append(diags...)
	if list == nil || list.ByID(id.ValueString()) != nil {
		return
	}
	if _, err := r.data.client.ReadAgentPool(ctx, organization.ValueString(), id.ValueString()); isNotFound(err) {
		resp.Diagnostics.AddAttributeError(attribute, "Agent pool not found",
			fmt.Sprintf("Organization %q has no agent pool with the ID %q. %s", organization.ValueString(), id.ValueString(),
				suggestNames(list.Pools, id.ValueString())))
	}
}
