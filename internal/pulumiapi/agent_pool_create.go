package pulumiapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
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
	create := &createOperation{
		client: c, grace: grace, organization: organization, name: name, description: description,
		// The second half of the grace period is for the list.
		post: &operation{
			client: c, organization: organization, wantStatus: http.StatusOK, gracePeriod: c.config.GracePeriod / 2,
		},
	}
	create.known = cmp.Or(c.lists.peek(organization), &AgentPoolList{})
	defer c.lists.invalidate(organization)
	return create.run(ctx)
}

// createOperation is one create, whose response may be lost.
type createOperation struct {
	client                          *Client
	organization, name, description string
	post                            *operation
	//nolint:containedctx // Every method also has the context of the caller, which ends earlier.
	grace context.Context
	known *AgentPoolList // from before the create, may be empty

	ambiguousErr   error     // of the last attempt that may have taken effect, nil if there is none
	ambiguousSince time.Time // when the first such attempt was sent
}

func (o *createOperation) run(ctx context.Context) (CreatedAgentPool, error) {
	for {
		created, err := o.send(ctx)
		switch {
		case err == nil:
			return created, nil
		case o.ambiguousErr != nil:
			err = o.resolve(ctx, err)
		case hasStatus(err, http.StatusConflict):
			err = o.post.resolveConflict(ctx, o.name, err)
		}
		if err != nil {
			return CreatedAgentPool{}, err
		}
	}
}

// send sends the request once, and again only after attempts that had no effect.
func (o *createOperation) send(ctx context.Context) (CreatedAgentPool, error) {
	o.post.ambiguousSince = time.Time{} // so that isAmbiguous(err) is about this attempt
	response, err := o.post.sdk().CreateOrgAgentPool(ctx, o.organization,
		apitype.CreateOrgAgentPoolRequest{Name: o.name, Description: o.description})
	if err = o.post.result(err); err == nil {
		switch {
		case !validID.MatchString(response.ID):
			err = o.post.responseErrorf("id", "is not a valid ID")
		case o.known.has(response.ID):
			err = o.post.responseErrorf("id", "is that of an existing agent pool")
		case response.TokenValue == "":
			err = o.post.responseErrorf("tokenValue", "is missing")
		default:
			return CreatedAgentPool{ID: response.ID, Token: response.TokenValue}, nil
		}
	}
	if isAmbiguous(err) {
		o.ambiguousErr = err
		if o.ambiguousSince.IsZero() {
			o.ambiguousSince = o.post.last.sent
		}
	}
	return CreatedAgentPool{}, err
}

// resolve determines the outcome after an attempt that may have taken effect. It returns nil if the request should be
// sent again.
func (o *createOperation) resolve(ctx context.Context, err error) error {
	result, pool, lookupErr := o.reconcile(ctx, hasStatus(err, http.StatusConflict))
	switch {
	case result == createdByUs:
		return &TokenLostError{Organization: o.organization, Pool: *pool, Err: o.ambiguousErr}
	case result == existedBefore:
		return &AgentPoolExistsError{Organization: o.organization, Name: o.name, Existing: pool, Err: o.ambiguousErr}
	case !isAmbiguous(err):
		// This attempt had no effect, but an earlier one may still be in progress on the server.
		o.ambiguousErr = errors.Join(o.ambiguousErr, err)
	case result == notCreated && ctx.Err() == nil && o.post.retriesUsed < o.client.config.MaxRetries:
		o.post.retriesUsed++
		return nil
	}
	return &UnknownOutcomeError{
		Organization: o.organization, Name: o.name, Err: o.ambiguousErr, Candidate: pool, LookupErr: lookupErr,
	}
}

// outcome is what the list shows about a create whose response was lost.
type outcome int

const (
	notCreated    outcome = iota // no agent pool has the name
	createdByUs                  // this create created the agent pool
	existedBefore                // a different create did
	undecided                    // the agent pool may be from this create, or the list is not readable
)

// conflictReads is the number of lists after a 409: the server may refuse a name that its list does not show yet.
const conflictReads = 3

// reconcile determines from the list whether an earlier attempt took effect. After a cancellation it reads the list
// until the end of the grace period, because the server may still be processing the canceled request.
func (o *createOperation) reconcile(ctx context.Context, conflict bool) (outcome, *AgentPool, error) {
	c := o.client
	_ = c.config.Sleep(ctx, c.backoff(o.post.retriesUsed)) // A cancellation ends this wait only.
	for read := 1; ; read++ {
		list, err := c.RefreshAgentPools(o.grace, o.organization)
		if err != nil && read > 1 && o.grace.Err() != nil {
			break
		}
		if err != nil {
			return undecided, nil, err
		}
		if pools := list.ByName(o.name); len(pools) > 0 {
			result, pool := o.compare(pools, list)
			return result, pool, nil
		}
		if ctx.Err() == nil && (!conflict || read >= conflictReads) {
			return notCreated, nil, nil
		}
		if c.config.Sleep(o.grace, c.backoff(read-1)) != nil {
			break
		}
	}
	return notCreated, nil, nil //nolint:nilerr // Until the end of the grace period, the lists did not have it.
}

// compare distinguishes an agent pool of this create from one of another, by its description and by its creation time.
func (o *createOperation) compare(pools []AgentPool, list *AgentPoolList) (outcome, *AgentPool) {
	// All times are on the clock of the server.
	earliest := list.date.Add(-list.received.Sub(o.ambiguousSince) - clockTolerance)
	latest := list.date.Add(clockTolerance)
	var ours, unclear []AgentPool
	for _, pool := range pools {
		switch {
		case o.known.has(pool.ID), strings.TrimSpace(pool.Description) != strings.TrimSpace(o.description): // not ours
		case pool.CreatedAt.IsZero(), list.date.IsZero():
			unclear = append(unclear, pool)
		case !pool.CreatedAt.Before(earliest) && !pool.CreatedAt.After(latest):
			ours = append(ours, pool)
		}
	}
	switch {
	case len(ours) == 1 && len(unclear) == 0:
		return createdByUs, &ours[0]
	case len(ours)+len(unclear) == 0:
		return existedBefore, &pools[0]
	}
	return undecided, &slices.Concat(ours, unclear)[0]
}
