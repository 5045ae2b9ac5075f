package provider

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/credentials"
	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// importID is a parsed import ID. At least one of id and name is set.
type importID struct{ organization, id, name string }

const importForms = `Use one of these forms:

  ORGANIZATION/POOL_ID
  POOL_ID                    in the provider's default organization
  ORGANIZATION/NAME
  ORGANIZATION/NAME/POOL_ID  as in Pulumi's own provider`

// parseImportID parses the forms above. A name may contain slashes.
func parseImportID(text string) (id importID, ok bool) {
	if isPoolID(text) {
		return importID{id: text}, true
	}
	organization, rest, _ := strings.Cut(text, "/")
	if organization == "" || rest == "" || strings.Contains(text, "://") || containsToken(text) {
		return importID{}, false
	}
	id = importID{organization: organization, name: rest}
	if slash := strings.LastIndex(rest, "/"); isPoolID(rest[slash+1:]) {
		id.id, id.name = rest[slash+1:], rest[:max(slash, 0)]
	}
	return id, true
}

// invalidImportID reports an import ID, but does not quote a token in its place. advice begins with the kind of object.
func invalidImportID(id, advice string) diag.Diagnostic {
	quoted := strconv.Quote(id)
	if containsToken(id) {
		quoted = "The value, which contains a token,"
	}
	return diag.NewErrorDiagnostic("Invalid import ID", quoted+" is not an import ID of "+advice)
}

func containsToken(id string) bool {
	return slices.ContainsFunc(strings.Split(id, "/"), credentials.LooksLikeToken)
}

func isImportByIdentity(req resource.ImportStateRequest) bool {
	return req.ID == "" && req.Identity != nil && !req.Identity.Raw.IsFullyNull()
}

// resolveImport returns the organization and the agent pool to import, which exists.
func (r *agentPoolResource) resolveImport(
	ctx context.Context, req resource.ImportStateRequest,
) (organization string, pool pulumiapi.AgentPool, diags diag.Diagnostics) {
	var id importID
	if isImportByIdentity(req) {
		var identity agentPoolIdentity
		diags.Append(req.Identity.Get(ctx, &identity)...)
		id = importID{organization: identity.Organization.ValueString(), id: identity.ID.ValueString()}
		if !isPoolID(id.id) {
			diags.Append(invalidPoolID(path.Root("id"), id.id))
		}
	} else {
		var ok bool
		if id, ok = parseImportID(req.ID); !ok {
			diags.Append(invalidImportID(req.ID, "an agent pool. "+importForms))
		}
	}
	if diags.HasError() {
		return "", pool, diags
	}
	resolved := types.StringValue(id.organization)
	if diags = r.data.resolveOrganization(ctx, &resolved); diags.HasError() {
		return "", pool, diags
	}
	organization = resolved.ValueString()
	if id.id == "" {
		pool, diags = r.data.findByName(ctx, organization, id.name)
		return organization, pool, diags
	}
	pool, diags = r.data.findByID(ctx, organization, id.id)
	if !diags.HasError() && id.name != "" && id.name != pool.Name {
		diags.AddError("Import ID is contradictory",
			fmt.Sprintf("The agent pool with the ID %s is named %q, not %q. Correct the name or the ID.", id.id, pool.Name, id.name))
	}
	return organization, pool, diags
}
