package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
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
	if authentication, ok := errors.AsType[*pulumiapi.AuthenticationError](err); ok {
		err = authentication.Err
	}
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
	resp.Diagnostics.Append(r.data.checkPlannedPool(ctx, resp.Plan)...)
}

// checkPlannedPool returns an error if the organization does not have the planned agent_pool_id.
func (d *providerData) checkPlannedPool(ctx context.Context, plan tfsdk.Plan) diag.Diagnostics {
	if plan.Raw.IsNull() {
		return nil
	}
	attribute := path.Root("agent_pool_id")
	var organization, id types.String
	diags := plan.GetAttribute(ctx, organizationPath, &organization)
	diags.Append(plan.GetAttribute(ctx, attribute, &id)...)
	if diags.HasError() || id.ValueString() == "" {
		return diags
	}
	list, diags := d.planList(ctx, organization.ValueString())
	if list == nil {
		return diags
	}
	if _, found := list.ByID(id.ValueString()); found {
		return diags
	}
	_, err := d.client.ReadAgentPool(ctx, organization.ValueString(), id.ValueString())
	if isNotFound(err) {
		diags.AddAttributeError(attribute, "Agent pool not found",
			fmt.Sprintf("Organization %q has no agent pool with the ID %q. %s", organization.ValueString(), id.ValueString(),
				suggestNames(list.Pools, id.ValueString())))
	}
	return diags
}
