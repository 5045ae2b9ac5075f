package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/cloud"
)

const created = `{"id":"` + poolID + `","tokenValue":"` + poolToken + `"}`

// listOf is a handler that lists pools by the server's clock.
func listOf(serverTime time.Time, pools ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", serverTime.UTC().Format(http.TimeFormat))
		answer(http.StatusOK, `{"agentPools":[`+strings.Join(pools, ",")+`]}`)(w, r)
	}
}

func poolJSON(id, name, description string, createdAt int64) string {
	return fmt.Sprintf(`{"id":%q,"name":%q,"description":%q,"created":%d,"status":"offline"}`, id, name, description, createdAt)
}

func TestCreate(t *testing.T) {
	t.Parallel()
	server := newServer(t, byMethod(t, map[string]http.HandlerFunc{"POST": answer(http.StatusOK, created)}))
	got, err := newClient(t, server.URL).CreateAgentPool(t.Context(), "acme", `run "ners" <&>`, "for ü")
	if want := (cloud.CreatedAgentPool{ID: poolID, Token: poolToken}); got != want || err != nil {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	const body = `{"name":"run \"ners\" \u003c\u0026\u003e","description":"for ü"}`
	if requests := server.requests(); len(requests) != 1 || requests[0].body != body {
		t.Errorf("got %+v, want one request with the body %s", requests, body)
	}
}

func TestCreateOfATakenName(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	for _, test := range []struct {
		name string
		list http.HandlerFunc
		want string // the id of the existing pool
	}{
		{"known", listOf(now, poolJSON("other", "others", "", 1), poolJSON(poolID, "runners", "", 1)), poolID},
		{"not listed yet", listOf(now), ""},
		{"list refused", refuse(http.StatusForbidden), ""},
		// The clocks agree, but the answer was not lost.
		{"made at this moment", listOf(now, poolJSON(poolID, "runners", "", now.Unix())), poolID},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, byMethod(t, map[string]http.HandlerFunc{"POST": refuse(http.StatusConflict), "GET": test.list}))
			client := newClient(t, server.URL, func(c *cloud.Config) { c.Now = newClock().Now })
			_, err := client.CreateAgentPool(t.Context(), "acme", "runners", "")
			var exists *cloud.AgentPoolExistsError
			var apiErr *cloud.APIError
			if !errors.As(err, &exists) || !errors.As(err, &apiErr) || apiErr.StatusCode != http.StatusConflict {
				t.Fatalf("got %v, want an AgentPoolExistsError that wraps the 409", err)
			}
			if exists.Existing == nil && test.want != "" || exists.Existing != nil && exists.Existing.ID != test.want {
				t.Errorf("got %+v, want %q", exists.Existing, test.want)
			}
			server.expectCounts(t, map[string]int{"POST": 1, "GET": 1})
		})
	}
}

func TestCreateRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 401, 403, 404, 422} {
		server := newServer(t, byMethod(t, map[string]http.HandlerFunc{"POST": refuse(status)}))
		_, err := newClient(t, server.URL).CreateAgentPool(t.Context(), "acme", "runners", "")
		var apiErr *cloud.APIError
		if !errors.As(err, &apiErr) || apiErr.StatusCode != status {
			t.Errorf("got %v, want an APIError with status %d", err, status)
		}
		server.expectCounts(t, map[string]int{"POST": 1})
	}
}

// lostAnswers are the ways in which a create may take effect without a word.
func lostAnswers() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"timeout":             hang,
		"dropped":             drop,
		"cut off":             cutOff,
		"500":                 refuse(500),
		"502":                 answer(502, "<html>"),
		"503":                 refuse(503),
		"504":                 refuse(504),
		"408":                 refuse(408),
		"truncated JSON":      answer(http.StatusOK, created[:len(created)-10]),
		"token missing":       answer(http.StatusOK, `{"id":"`+poolID+`"}`),
		"token empty":         answer(http.StatusOK, `{"id":"`+poolID+`","tokenValue":""}`),
		"id missing":          answer(http.StatusOK, `{"tokenValue":"`+poolToken+`"}`),
		"token mistyped":      answer(http.StatusOK, `{"id":"`+poolID+`","tokenValue":7}`),
		"HTML":                answer(http.StatusOK, "<html>"),
		"403 of a proxy":      answer(http.StatusForbidden, "<html>"),
		"no body":             answer(http.StatusOK, ""),
		"more after the JSON": answer(http.StatusOK, created+created),
		"larger than it can be": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat(" ", 2<<20)+created)
		},
	}
}

func TestCreateWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	clock := newClock()
	now := clock.Now()
	hour := time.Hour
	mine := func(at time.Time) string { return poolJSON(poolID, "runners", "ours", at.Unix()) }
	for outcome, test := range map[string]struct {
		list   http.HandlerFunc
		expect func(*testing.T, error)
		posts  int
	}{
		"not there":               {listOf(now, poolJSON("x", "others", "", now.Unix())), expectNoError, 2},
		"made in this call":       {listOf(now, mine(now)), expectTokenLost, 1},
		"made, in milliseconds":   {listOf(now, poolJSON(poolID, "runners", "ours", now.UnixMilli())), expectTokenLost, 1},
		"made, clock 1h ahead":    {listOf(now.Add(hour), mine(now.Add(hour))), expectTokenLost, 1},
		"made, clock 1h behind":   {listOf(now.Add(-hour), mine(now.Add(-hour))), expectTokenLost, 1},
		"made, a second early":    {listOf(now, mine(now.Add(-time.Second))), expectTokenLost, 1},
		"there before":            {listOf(now, mine(now.Add(-time.Minute))), expectExists, 1},
		"before, clock 1h ahead":  {listOf(now.Add(hour), mine(now.Add(hour-time.Minute))), expectExists, 1},
		"before, clock 1h behind": {listOf(now.Add(-hour), mine(now.Add(-hour-time.Minute))), expectExists, 1},
		"1h ahead, made at now":   {listOf(now.Add(hour), mine(now)), expectExists, 1},
		"from the future":         {listOf(now, mine(now.Add(hour))), expectExists, 1},
		"another description":     {listOf(now, poolJSON(poolID, "runners", "theirs", now.Unix())), expectExists, 1},
		"made at an unknown time": {listOf(now, poolJSON(poolID, "runners", "ours", 0)), expectCandidate, 1},
		"two of that name":        {listOf(now, mine(now), mine(now)), expectCandidate, 1},
		"list refused":            {refuse(http.StatusForbidden), expectUnknown, 1},
		"list fails":              {refuse(http.StatusInternalServerError), expectUnknown, 1},
		"list broken":             {answer(http.StatusOK, "<html>"), expectUnknown, 1},
	} {
		for name, lost := range lostAnswers() {
			t.Run(name+", "+outcome, func(t *testing.T) {
				t.Parallel()
				server := newServer(t, byMethod(t, map[string]http.HandlerFunc{
					"POST": inTurn(lost, answer(http.StatusOK, created)),
					"GET":  test.list,
				}))
				client := newClient(t, server.URL, func(c *cloud.Config) {
					c.Now = clock.Now
					if name == "timeout" {
						c.RequestTimeout = 500 * time.Millisecond
					}
				})
				got, err := client.CreateAgentPool(t.Context(), "acme", "runners", "ours")
				test.expect(t, err)
				if want := (cloud.CreatedAgentPool{ID: poolID, Token: poolToken}); err == nil && got != want {
					t.Errorf("got %v, want %v", got, want)
				}
				if n := server.count(http.MethodPost); n != test.posts {
					t.Errorf("got %d POSTs, want %d", n, test.posts)
				}
			})
		}
	}
}

func expectNoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func expectTokenLost(t *testing.T, err error) {
	t.Helper()
	var lost *cloud.TokenLostError
	if !errors.As(err, &lost) || lost.Pool.ID != poolID || lost.Pool.Name != "runners" || lost.Err == nil {
		t.Errorf("got %v, want a TokenLostError with the pool", err)
	}
}

func expectExists(t *testing.T, err error) {
	t.Helper()
	var exists *cloud.AgentPoolExistsError
	if !errors.As(err, &exists) || exists.Existing == nil || exists.Existing.ID != poolID {
		t.Errorf("got %v, want an AgentPoolExistsError with the pool", err)
	}
}

func expectCandidate(t *testing.T, err error) {
	t.Helper()
	var unknown *cloud.UnknownOutcomeError
	if !errors.As(err, &unknown) || unknown.Candidate == nil || unknown.Candidate.ID != poolID || unknown.Err == nil {
		t.Errorf("got %v, want an UnknownOutcomeError with a candidate", err)
	}
}

func expectUnknown(t *testing.T, err error) {
	t.Helper()
	var unknown *cloud.UnknownOutcomeError
	if !errors.As(err, &unknown) || unknown.Candidate != nil || unknown.LookupErr == nil || unknown.Err == nil {
		t.Errorf("got %v, want an UnknownOutcomeError that tells why looking failed", err)
	}
}

func TestConflictAfterALostAnswer(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	mine := listOf(now, poolJSON(poolID, "runners", "", now.Unix()))
	for name, test := range map[string]struct {
		list   http.HandlerFunc
		expect func(*testing.T, error)
	}{
		"shows at once": {inTurn(listOf(now), mine), expectTokenLost},
		"shows late":    {first(3, listOf(now), mine), expectTokenLost},
		"never shows": {listOf(now), func(t *testing.T, err error) {
			t.Helper()
			var unknown *cloud.UnknownOutcomeError
			if !errors.As(err, &unknown) || unknown.Candidate != nil || unknown.LookupErr != nil {
				t.Errorf("got %v, want an UnknownOutcomeError without a candidate", err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, byMethod(t, map[string]http.HandlerFunc{
				"POST": inTurn(drop, refuse(http.StatusConflict)), "GET": test.list,
			}))
			client := newClient(t, server.URL, func(c *cloud.Config) { c.Now = newClock().Now })
			_, err := client.CreateAgentPool(t.Context(), "acme", "runners", "")
			test.expect(t, err)
			if n := server.count(http.MethodPost); n != 2 {
				t.Errorf("got %d POSTs, want 2", n)
			}
		})
	}
}

func TestCreateRetryBudget(t *testing.T) {
	t.Parallel()
	for maxRetries := range 4 {
		for name, handler := range map[string]http.HandlerFunc{
			"lost":                 drop,
			"lost or rate-limited": inTurn(refuse(429), drop, inTurn(refuse(429), drop)),
		} {
			t.Run(fmt.Sprint(name, " ", maxRetries), func(t *testing.T) {
				t.Parallel()
				server := newServer(t, byMethod(t, map[string]http.HandlerFunc{"POST": handler, "GET": answer(http.StatusOK, emptyList)}))
				client := newClient(t, server.URL, func(c *cloud.Config) { c.MaxRetries = maxRetries })
				if _, err := client.CreateAgentPool(t.Context(), "acme", "runners", ""); err == nil {
					t.Error("got success")
				}
				if n := server.count(http.MethodPost); n != maxRetries+1 {
					t.Errorf("got %d POSTs, want %d", n, maxRetries+1)
				}
			})
		}
	}
}

func TestCreateRefusedAfterALostAnswer(t *testing.T) {
	t.Parallel()
	server := newServer(t, byMethod(t, map[string]http.HandlerFunc{
		"POST": inTurn(drop, refuse(http.StatusForbidden)), "GET": answer(http.StatusOK, emptyList),
	}))
	_, err := newClient(t, server.URL).CreateAgentPool(t.Context(), "acme", "runners", "")
	var apiErr *cloud.APIError
	if !errors.As(err, &apiErr) || apiErr.StatusCode != http.StatusForbidden {
		t.Errorf("got %v, want the 403: no pool was made", err)
	}
	server.expectCounts(t, map[string]int{"POST": 2, "GET": 2})
}

func TestCreateCancelled(t *testing.T) {
	t.Parallel()
	now := newClock().Now()
	mine := listOf(now, poolJSON(poolID, "runners", "", now.Unix()))
	// Each of these handlers first tells that the request arrived, upon which the test cancels.
	type arrivals struct{ arrived, cancelled chan struct{} }
	for name, test := range map[string]struct {
		post, list func(arrivals) http.HandlerFunc
		expect     func(*testing.T, error)
	}{
		"while it is under way, and it took effect": {
			post: func(a arrivals) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) { close(a.arrived); hang(w, r) }
			},
			list:   func(arrivals) http.HandlerFunc { return inTurn(listOf(now), mine) },
			expect: expectTokenLost,
		},
		"while it is under way, and the list is refused": {
			post: func(a arrivals) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) { close(a.arrived); hang(w, r) }
			},
			list:   func(arrivals) http.HandlerFunc { return refuse(http.StatusForbidden) },
			expect: expectUnknown,
		},
		"while it is under way, and it never shows": {
			post: func(a arrivals) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) { close(a.arrived); hang(w, r) }
			},
			list: func(arrivals) http.HandlerFunc { return listOf(now) },
			expect: func(t *testing.T, err error) {
				t.Helper()
				var unknown *cloud.UnknownOutcomeError
				if !errors.As(err, &unknown) || unknown.LookupErr != nil || !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want an UnknownOutcomeError that wraps context.Canceled", err)
				}
			},
		},
		"while its lost answer is looked into": {
			post: func(arrivals) http.HandlerFunc { return drop },
			list: func(a arrivals) http.HandlerFunc {
				return func(w http.ResponseWriter, r *http.Request) {
					close(a.arrived)
					<-a.cancelled
					mine(w, r)
				}
			},
			expect: expectTokenLost,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := arrivals{make(chan struct{}), make(chan struct{})}
			server := newServer(t, byMethod(t, map[string]http.HandlerFunc{"POST": test.post(a), "GET": test.list(a)}))
			client := newClient(t, server.URL, func(c *cloud.Config) { c.Now = newClock().Now })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error, 1)
			go func() {
				_, err := client.CreateAgentPool(ctx, "acme", "runners", "")
				result <- err
			}()
			<-a.arrived
			cancel()
			close(a.cancelled)
			test.expect(t, <-result)
			if n := server.count(http.MethodPost); n != 1 {
				t.Errorf("got %d POSTs, want 1", n)
			}
		})
	}
}

func TestCreateCancelledBeforeItIsSent(t *testing.T) {
	t.Parallel()
	server := newServer(t, answer(http.StatusOK, created))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newClient(t, server.URL).CreateAgentPool(ctx, "acme", "runners", "")
	var unknown *cloud.UnknownOutcomeError
	if !errors.Is(err, context.Canceled) || errors.As(err, &unknown) {
		t.Errorf("got %v, want context.Canceled and no doubt", err)
	}
	server.expectCounts(t, nil)
}

func BenchmarkCreateAgentPool(b *testing.B) {
	server := newServer(b, answer(http.StatusOK, created))
	client := newClient(b, server.URL)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.CreateAgentPool(b.Context(), "acme", "runners", ""); err != nil {
			b.Fatal(err)
		}
	}
}
