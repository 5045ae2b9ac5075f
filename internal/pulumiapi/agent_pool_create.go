package pulumiapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/pulumi/pulumi-cloud-sdk/go/apitype"
)

// clockTolerance allows for timestamps in whole seconds on both sides of a comparison.
const clockTolerance = 2 * time.Second

// CreatedAgentPool is a new agent pool and its token, which no other request returns.
type CreatedAgentPool struct{ ID, Token string }

// CreateAgentPool creates an agent pool (POST /api/orgs/{org}/agent-pools).
//
// After an attempt that may have taken effect, the list of the organization decides. If the list does not have the
// agent pool, the request is sent again, within [Config].MaxRetries. If it has one that this call created, the error is
// a *[TokenLostError]. If nothing is certain, it is an *[UnknownOutcomeError]. After ctx is canceled,
// [Config].GracePeriod remains for the response and the list. A taken name is an *[AgentPoolExistsError].
func (c *Client) CreateAgentPool(ctx context.Context, organization, name, description string) (CreatedAgentPool, error) {
	grace, cancel := withGracePeriod(ctx, c.config.GracePeriod)
	defer cancel()
	o := &createOperation{operation: c.newOperation(organization), name: name, description: description}
	o.idempotent = false
	o.known = c.lists.peek(organization)
	defer c.lists.invalidate(organization) // It may be from before a late create.
	for {
		created, err := o.create(ctx)
		switch {
		case err == nil:
			return created, nil
		case o.ambiguousErr != nil:
			err = o.resolve(ctx, grace, err)
		case hasStatus(err, http.StatusConflict):
			list, _ := c.RefreshAgentPools(ctx, organization)
			err = o.resolveConflict(ctx, name, list, err)
		}
		if err != nil {
			return CreatedAgentPool{}, err
		}
	}
}

// createOperation is one create, whose response may be lost.
type createOperation struct {
	*operation

	name, description string
	known             *AgentPoolList // from before the create, or nil

	ambiguousErr   error     // of the last attempt that may have taken effect, nil if there is none
	ambiguousSince time.Time // when the first such attempt was sent
}

// create sends the request once, and again only after attempts that had no effect.
func (o *createOperation) create(ctx context.Context) (CreatedAgentPool, error) {
	o.ambiguous = false // Earlier attempts are in ambiguousErr.
	response, err := o.sdk().CreateOrgAgentPool(ctx, o.organization,
		apitype.CreateOrgAgentPoolRequest{Name: o.name, Description: o.description})
	if err = o.result(err); err == nil {
		switch {
		case !validID.MatchString(response.ID):
			err = o.responseErrorf("id", "is not a valid ID")
		case response.TokenValue == "":
			err = o.responseErrorf("tokenValue", "is missing")
		default:
			// A proxy that sends a response twice makes the second one look like that of the next request.
			_, repeated := o.client.created.LoadOrStore(strings.ToLower(response.ID), true)
			if !repeated && o.known.ByID(response.ID) == nil {
				return CreatedAgentPool{ID: response.ID, Token: response.TokenValue}, nil
			}
			err = o.responseErrorf("id", "is that of an existing agent pool")
		}
	}
	if o.ambiguous {
		o.ambiguousErr = err
		o.ambiguousSince = cmp.Or(o.ambiguousSince, o.last.sent)
	}
	return CreatedAgentPool{}, err
}

// resolve determines the outcome after an attempt that may have taken effect. It returns nil if the request should be
// sent again.
func (o *createOperation) resolve(ctx, grace context.Context, err error) error {
	// The server may need a moment until the list shows the agent pool. A cancellation ends this wait only.
	mayRetry := o.mayRetry()
	if mayRetry {
		_ = o.waitForRetry(ctx)
	} else {
		_ = o.client.config.Sleep(ctx, o.client.backoff(o.retriesUsed))
	}
	cause := WrappedError{o.ambiguousErr}
	result, listErr := o.reconcile(ctx, grace, !mayRetry && hasStatus(err, http.StatusConflict))
	switch {
	case result.certain:
		return &TokenLostError{WrappedError: cause, Pool: *result.candidate}
	case len(result.named) > 0 && result.candidate == nil:
		return &AgentPoolExistsError{WrappedError: cause, Name: o.name, Existing: &result.named[0]}
	case listErr == nil && len(result.named) == 0 && mayRetry && ctx.Err() == nil &&
		(o.ambiguous || hasStatus(err, http.StatusConflict)): // After a 409, a later list may show the agent pool.
		return nil
	}
	if !o.ambiguous {
		cause.Err = errors.Join(cause.Err, err) // An earlier attempt may still be in progress on the server.
	}
	return &UnknownOutcomeError{WrappedError: cause, Name: o.name, LookupErr: listErr, Candidate: result.candidate}
}

// outcome is the evidence in the list about a create whose response was lost.
type outcome struct {
	named     []AgentPool // agent pools with the name
	candidate *AgentPool  // the first of them that the create may have created, or nil
	certain   bool        // whether it certainly created the candidate
}

// reconcile returns the outcome according to the list. After a cancellation it reads the list until the end of the grace
// period, because the server may still be processing the canceled request. After a last 409 it reads it up to three times.
func (o *createOperation) reconcile(ctx, grace context.Context, lastConflict bool) (outcome, error) {
	c := o.client
	for read := 1; ; read++ {
		list, err := c.RefreshAgentPools(grace, o.organization)
		switch {
		case err != nil && read > 1 && grace.Err() != nil:
			return outcome{}, nil //nolint:nilerr // The time is over, and the lists before did not have the name.
		case err != nil:
			return outcome{}, err
		case len(list.ByName(o.name)) > 0, ctx.Err() == nil && (!lastConflict || read == 3):
			return o.compare(list), nil
		}
		_ = c.config.Sleep(grace, c.backoff(read-1)) // Without time left, the next list fails.
	}
}

// compare compares the agent pools with the name by their descriptions and ages. It only subtracts times of the same clock:
// the age is on the clock of the server, and the maximum age on the local one.
func (o *createOperation) compare(list *AgentPoolList) outcome {
	result := outcome{named: list.ByName(o.name)}
	for i, pool := range result.named {
		age, maxAge := list.date.Sub(pool.CreatedAt), list.received.Sub(o.ambiguousSince)+clockTolerance
		hasAge := !pool.CreatedAt.IsZero() && !list.date.IsZero()
		matches := o.known.ByID(pool.ID) == nil && strings.TrimSpace(pool.Description) == strings.TrimSpace(o.description)
		if matches && (!hasAge || age >= -clockTolerance && age <= maxAge) {
			result.certain = hasAge && result.candidate == nil // Of several, none is certain.
			result.candidate = cmp.Or(result.candidate, &result.named[i])
		}
	}
	return result
}
