package provider

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// importID is a pool as the user of "terraform import" names it.
type importID struct {
	// organization is empty for the default one.
	organization string
	// id or name tells which pool: id if the text has the shape of one.
	id, name string
}

const importForms = `Use one of these forms:

  ORGANIZATION/POOL_ID
  POOL_ID                    in the provider's default organization
  ORGANIZATION/NAME
  ORGANIZATION/NAME/POOL_ID  as Pulumi's own providers write it`

var errImportID = errors.New("not an import id of an agent pool")

// parseImportID reads the forms above. A name may itself hold slashes: what follows the organization's is its.
func parseImportID(text string) (importID, error) {
	organization, rest, qualified := strings.Cut(text, "/")
	if !qualified {
		if !isPoolID(text) {
			return importID{}, errImportID
		}
		return importID{id: text}, nil
	}
	if organization == "" || rest == "" {
		return importID{}, errImportID
	}
	last := rest[strings.LastIndex(rest, "/")+1:]
	if isPoolID(last) {
		return importID{organization: organization, id: last}, nil
	}
	return importID{organization: organization, name: rest}, nil
}

// poolID is the shape of a pool's id: a UUID in its usual spelling.
var poolID = regexp.MustCompile(`^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func isPoolID(text string) bool { return poolID.MatchString(text) }

// imported finds out which pool is meant.
func (r *agentPoolResource) imported(
	ctx context.Context, req resource.ImportStateRequest,
) (agentPoolIdentity, diag.Diagnostics) {
	var diagnostics diag.Diagnostics
	var identity agentPoolIdentity
	var name string
	if req.ID == "" {
		diagnostics.Append(req.Identity.Get(ctx, &identity)...)
		if !diagnostics.HasError() && !isPoolID(identity.ID.ValueString()) {
			diagnostics.AddError("Invalid import identity", fmt.Sprintf("%q is not the id of an agent pool: that is a UUID.",
				identity.ID.ValueString()))
		}
		identity.ID = types.StringValue(strings.ToLower(identity.ID.ValueString()))
	} else {
		parsed, err := parseImportID(req.ID)
		if err != nil {
			diagnostics.AddError("Invalid import id", fmt.Sprintf("%q names no agent pool. %s", req.ID, importForms))
			return identity, diagnostics
		}
		name = parsed.name
		identity = agentPoolIdentity{
			Organization: types.StringValue(parsed.organization), ID: types.StringValue(strings.ToLower(parsed.id)),
		}
	}
	if diagnostics.HasError() {
		return identity, diagnostics
	}
	organization, more := r.connection.organizationOf(ctx, identity.Organization)
	diagnostics.Append(more...)
	if diagnostics.HasError() {
		return identity, diagnostics
	}
	identity.Organization = types.StringValue(organization)
	if name == "" {
		return identity, diagnostics
	}
	pool, more := r.connection.findByName(ctx, organization, name)
	diagnostics.Append(more...)
	identity.ID = types.StringValue(pool.ID)
	return identity, diagnostics
}
