package cloud

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"
)

const (
	// clockTolerance allows for timestamps in whole seconds, on both sides of a comparison.
	clockTolerance = 2 * time.Second
	// recoveryTime is what is left to find out what became of a create that was cancelled: Terraform waits for
	// the provider, but a pipeline's patience is short.
	recoveryTime = 5 * time.Second
)

// CreatedAgentPool is a new pool and its token, which no request returns again.
type CreatedAgentPool struct {
	ID, Token string
}

// CreateAgentPool creates a pool (POST /api/orgs/{org}/agent-pools).
//
// The request is not sent again while it may have taken effect. If its answer is lost, the organization's list
// decides: where the pool is not there the request is sent again, within [Config].MaxRetries; where it is, and was
// made in the time of this call, the error is a *[TokenLostError].
//
// Errors: *[AgentPoolExistsError], *[TokenLostError], *[UnknownOutcomeError] if not even the list tells,
// *[OrganizationNotFoundError], *[APIError], *[TransportError], *[AuthenticationError], *[ArgumentError].
func (c *Client) CreateAgentPool(ctx context.Context, organization, name, description string) (CreatedAgentPool, error) {
	path, err := agentPoolsPath(organization)
	if err != nil {
		return CreatedAgentPool{}, err
	}
	defer c.lists.write(organization)()
	a := &creation{
		client: c, organization: organization, name: name, description: description, started: c.config.Now(),
	}
	for spent := 0; ; {
		created, attempts, err := a.post(ctx, path, spent)
		if err == nil {
			return created, nil
		}
		spent += attempts
		conflict := hasStatus(err, http.StatusConflict)
		switch {
		case mayHaveCreated(err):
			a.lost = err
		case a.lost == nil && conflict:
			return CreatedAgentPool{}, c.nameTaken(ctx, organization, name, err)
		case a.lost == nil && hasStatus(err, http.StatusNotFound):
			return CreatedAgentPool{}, &OrganizationNotFoundError{Organization: organization, Err: err}
		case a.lost == nil:
			return CreatedAgentPool{}, err
		}
		if found := a.lookUp(ctx, conflict); found != nil {
			return CreatedAgentPool{}, found
		}
		if !mayHaveCreated(err) && !conflict {
			// This attempt did nothing, but one before it may be under way on the server still.
			return CreatedAgentPool{}, &UnknownOutcomeError{
				Organization: organization, Name: name, Err: errors.Join(a.lost, err),
			}
		}
		if conflict || spent > c.config.MaxRetries || c.pause(ctx, spent-1) != nil {
			return CreatedAgentPool{}, &UnknownOutcomeError{Organization: organization, Name: name, Err: a.lost}
		}
	}
}

// mayHaveCreated tells whether a pool may be there although the request for it failed. What answers in Pulumi Cloud's
// place may have passed the request on, and kept the answer; a redirect has not.
func mayHaveCreated(err error) bool {
	var apiErr *APIError
	if errors.As(err, &apiErr) && !apiErr.FromPulumi && apiErr.StatusCode >= http.StatusBadRequest {
		return true
	}
	return mayHaveTakenEffect(err)
}

// creation is one create whose answer may be lost.
type creation struct {
	client                          *Client
	organization, name, description string
	started                         time.Time
	// lost is why the answer to an attempt that may have taken effect is not known, nil while there is none.
	lost error
}

func (a *creation) post(ctx context.Context, path []string, spent int) (CreatedAgentPool, int, error) {
	answer, attempts, err := a.client.doCounting(ctx, call{
		method: http.MethodPost, path: path, spent: spent,
		body: struct {
			Name        string `json:"name"`
			Description string `json:"description"`
		}{a.name, a.description},
	})
	if err != nil {
		return CreatedAgentPool{}, attempts, err
	}
	var body struct {
		ID    string `json:"id"`
		Token string `json:"tokenValue"`
	}
	if err = answer.decode(&body); err == nil {
		switch {
		case body.ID == "":
			err = answer.errorf("id", "is missing")
		case body.Token == "":
			err = answer.errorf("tokenValue", "is missing")
		}
	}
	return CreatedAgentPool{ID: body.ID, Token: body.Token}, attempts, err
}

// lookUp asks the list what became of an attempt, and returns it as an error, or nil if no pool of that name is
// there. It looks several times where the answer may still change: a cancelled request can be under way on the
// server, and one that says the name is taken knows of a pool that the list has yet to show.
func (a *creation) lookUp(ctx context.Context, mayAppear bool) error {
	looks := 1
	if mayAppear || ctx.Err() != nil {
		looks = 3
	}
	ctx, cancel := outliving(ctx, recoveryTime)
	defer cancel()
	for look := range looks {
		if look > 0 && a.client.pause(ctx, look-1) != nil {
			break
		}
		list, answer, err := a.client.listAgentPools(ctx, a.organization)
		if err != nil {
			return &UnknownOutcomeError{Organization: a.organization, Name: a.name, Err: a.lost, LookupErr: err}
		}
		if pools := list.ByName(a.name); len(pools) > 0 {
			return a.judge(pools, answer)
		}
	}
	return nil
}

// judge tells a pool that this call has made from one that was there before.
func (a *creation) judge(pools []AgentPool, answer *answer) error {
	skew := answer.clockSkew()
	earliest := a.started.Add(skew - clockTolerance)
	latest := answer.received.Add(skew + clockTolerance)
	var made, unclear []AgentPool
	for _, pool := range pools {
		switch {
		case pool.Description != a.description:
		case pool.CreatedAt.IsZero():
			unclear = append(unclear, pool)
		case !pool.CreatedAt.Before(earliest) && !pool.CreatedAt.After(latest):
			made = append(made, pool)
		}
	}
	switch {
	case len(made) == 1 && len(unclear) == 0:
		return &TokenLostError{Organization: a.organization, Pool: made[0], Err: a.lost}
	case len(made) == 0 && len(unclear) == 0:
		return &AgentPoolExistsError{Organization: a.organization, Name: a.name, Existing: &pools[0], Err: a.lost}
	}
	candidates := slices.Concat(made, unclear)
	return &UnknownOutcomeError{Organization: a.organization, Name: a.name, Err: a.lost, Candidate: &candidates[0]}
}

// clockSkew is how far the server's clock is ahead of this machine's, to the second; 0 if the server doesn't say.
func (a *answer) clockSkew() time.Duration {
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return 0
	}
	return date.Sub(a.received.Round(0))
}

// outliving returns a context that goes on for some time after the given one has ended.
func outliving(ctx context.Context, extra time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(extra, cancel)
		context.AfterFunc(longer, func() { timer.Stop() })
	})
	return longer, func() {
		stop()
		cancel()
	}
}
