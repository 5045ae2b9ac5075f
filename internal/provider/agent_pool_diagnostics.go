package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/pulumiapi"
)

// tokenLostDiagnostic is the error for an agent pool that is in the state without its token.
func tokenLostDiagnostic(organization string, err *pulumiapi.TokenLostError) diag.Diagnostic {
	return diag.NewErrorDiagnostic("Agent pool created without its token",
		fmt.Sprintf("Agent pool %q was created in organization %q with the ID %s, but the response with its token was lost, and "+
			"Pulumi Cloud returns a token only once. The agent pool is in the state and marked as tainted. Apply again to replace "+
			"it. To keep it without a token, run \"terraform untaint ADDRESS\". If a different user created an agent pool with this "+
			"name and description at the same moment, run \"terraform state rm ADDRESS\" instead, and choose a different name. ADDRESS "+
			"is the address of this resource.\n\n%s",
			err.Pool.Name, organization, err.Pool.ID, causeOf(err.Err)))
}

func existsAdvice(op errorContext, err *pulumiapi.AgentPoolExistsError) (summary, advice string) {
	if err.Reserved {
		return "Agent pool name is reserved", fmt.Sprintf("Pulumi Cloud refuses the name %q in organization %q as taken, but no agent "+
			"pool has it. If the agent pool with this name was just deleted, apply again in a minute. Otherwise choose a different "+
			"name.", err.Name, op.organization)
	}
	advice = fmt.Sprintf("Organization %q already has an agent pool named %q, and names must be unique.", op.organization, err.Name)
	switch {
	case err.Existing == nil:
		advice += " Choose a different name."
	case op.newName:
		advice += fmt.Sprintf(" Its ID is %s. The name was generated for this create, so the agent pool is probably from an attempt "+
			"whose response was lost. Delete it in the Pulumi Cloud console, then apply again.", err.Existing.ID)
	case err.ID != "":
		advice += fmt.Sprintf(" Its ID is %s. Choose a different name, or rename that agent pool first. To swap two names, give one "+
			"of the agent pools a temporary name in a separate apply.", err.Existing.ID)
	default:
		advice += fmt.Sprintf(" Its ID is %s.\n\n"+
			"If this configuration already manages that agent pool, for example because of create_before_destroy, set name_prefix "+
			"instead of name. If you do not need it, delete it. Otherwise choose a different name, or import it without its token:\n\n"+
			"  terraform import ADDRESS %s/%[1]s\n\n"+
			"where ADDRESS is the address of this resource.", err.Existing.ID, op.organization)
	}
	return "Agent pool already exists", advice
}

// unknownOutcomeAdvice returns the known facts, then the reason with its correction, if any, then the next step.
func unknownOutcomeAdvice(op errorContext, err *pulumiapi.UnknownOutcomeError, reason string) string {
	next := "Apply again. If the agent pool exists by then, the error contains the command that imports it."
	if op.newName {
		next = fmt.Sprintf("Apply again, which creates an agent pool with a new name. If agent pool %q then appears in the Pulumi "+
			"Cloud console, delete it there.", err.Name)
	}
	known := "The request was sent, but it is not known whether it took effect."
	switch {
	case err.Candidate != nil:
		known += fmt.Sprintf(" Organization %q has an agent pool %q with the ID %s, which may be from this request.",
			op.organization, err.Name, err.Candidate.ID)
		next = fmt.Sprintf("If its creation time in the Pulumi Cloud console is that of this apply, delete it and apply again, or "+
			"import it without its token:\n\n"+
			"  terraform import ADDRESS %s/%s\n\n"+
			"where ADDRESS is the address of this resource. If it is older or belongs to a different user, choose a different name.",
			op.organization, err.Candidate.ID)
	case errors.Is(err.Err, context.Canceled):
		known = fmt.Sprintf("The run was interrupted before Pulumi Cloud responded, so agent pool %q may still be created in "+
			"organization %q. Wait a minute.", err.Name, op.organization)
	case err.LookupErr != nil:
		known += fmt.Sprintf(" The provider could not read the list of organization %q to find out whether agent pool %q exists.",
			op.organization, err.Name)
	default:
		known += fmt.Sprintf(" Organization %q had no agent pool %q immediately afterwards, so it was probably not created.",
			op.organization, err.Name)
	}
	if reason != "" {
		known += "\n\n" + reason + "\n\n"
	} else {
		known += " "
	}
	return known + next
}

// deleteDiagnostic is errorDiagnostic for a delete. Pulumi Cloud responds with 400, and a message that has changed over
// time, while stacks use the agent pool.
func (d *providerData) deleteDiagnostic(op errorContext, force bool, err error) diag.Diagnostic {
	api, ok := errors.AsType[*pulumiapi.APIError](err)
	if force || !ok || !api.IsAPIResponse || api.StatusCode != http.StatusBadRequest {
		return d.errorDiagnostic(op, err)
	}
	return diag.NewErrorDiagnostic("Agent pool in use",
		fmt.Sprintf("Could not %s. Pulumi Cloud rejects this while stacks use the agent pool.\n\n"+
			"- To keep the stacks on your runners: assign them to a different agent pool, then run the command again.\n"+
			"- To replace it while this configuration assigns the stacks: set name_prefix and create_before_destroy, then apply.\n"+
			"- To delete it anyway: if you replaced or removed it in the configuration, undo that. Set force_destroy = true, and apply "+
			"only that. Then replace or destroy it. The stacks fall back to the default agent pool or to the Pulumi-hosted pool.\n"+
			"- If it was already replaced (a deposed object): assign the stacks to a different agent pool. It cannot get "+
			"force_destroy any more.\n\n%s", op.action, causeOf(err)))
}
