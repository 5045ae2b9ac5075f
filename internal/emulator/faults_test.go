package emulator_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pulumicloud/terraform-provider-pulumicloud/internal/emulator"
)

// createPool sends a creation on a connection of its own, so that net/http does not try a dropped one again.
func createPool(t *testing.T, api *api, name string) (*http.Response, error) {
	t.Helper()
	request := api.request(t, http.MethodPost, pools, map[string]any{"name": name, "description": ""})
	request.Close = true
	response, err := api.client.Do(request)
	if err == nil {
		t.Cleanup(func() { response.Body.Close() })
	}
	return response, err
}

func TestFaultsThatAnswer(t *testing.T) {
	tests := map[string]struct {
		faults     emulator.Faults
		status     int
		retryAfter string
		effect     bool
	}{
		"429": {
			faults: emulator.Faults{TooManyRequests: 1, RetryAfter: 1500 * time.Millisecond},
			status: http.StatusTooManyRequests, retryAfter: "2",
		},
		"429 without Retry-After": {
			faults: emulator.Faults{TooManyRequests: 1}, status: http.StatusTooManyRequests,
		},
		"503": {
			faults: emulator.Faults{Error503: 1, RetryAfter: time.Second},
			status: http.StatusServiceUnavailable, retryAfter: "1",
		},
		"500 before": {faults: emulator.Faults{Error500: 1}, status: http.StatusInternalServerError},
		"500 after": {
			faults: emulator.Faults{Error500After: 1}, status: http.StatusInternalServerError, effect: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			api := newAPI(t, emulator.Options{Faults: test.faults})
			response, err := createPool(t, api, "one")
			if err != nil {
				t.Fatal(err)
			}
			refused(t, response, test.status)
			if got := response.Header.Get("Retry-After"); got != test.retryAfter {
				t.Errorf("Retry-After %q, want %q", got, test.retryAfter)
			}
			if got := len(api.AgentPools("acme")) == 1; got != test.effect {
				t.Errorf("took effect: %t, want %t", got, test.effect)
			}
			// The emulator's own operations are spared.
			api.succeed(t, http.MethodGet, "/emulator/health", nil, http.StatusOK)
		})
	}
}

func TestFaultsThatDrop(t *testing.T) {
	for name, test := range map[string]struct {
		faults emulator.Faults
		effect bool
	}{
		"before": {faults: emulator.Faults{Drop: 1}},
		"after":  {faults: emulator.Faults{DropAfter: 1}, effect: true},
	} {
		t.Run(name, func(t *testing.T) {
			api := newAPI(t, emulator.Options{Faults: test.faults})
			if response, err := createPool(t, api, "one"); err == nil {
				t.Fatalf("answered with status %d, want a dropped connection", response.StatusCode)
			}
			if got := len(api.AgentPools("acme")) == 1; got != test.effect {
				t.Errorf("took effect: %t, want %t", got, test.effect)
			}
			if got := api.Requests(); len(got) != 1 || got[0].Status != 0 {
				t.Errorf("logged %v, want one request without a status", got)
			}
		})
	}
}

func TestFaultTruncate(t *testing.T) {
	api := newAPI(t, emulator.Options{Faults: emulator.Faults{Truncate: 1}})
	response, err := createPool(t, api, "one")
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(response.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("reading the body: %v, want an unexpected end", err)
	}
	if response.StatusCode != http.StatusOK || len(data) == 0 || json.Valid(data) {
		t.Errorf("status %d and %d bytes, want 200 and half a body", response.StatusCode, len(data))
	}
	all := api.AgentPools("acme")
	if len(all) != 1 {
		t.Fatalf("%d pools, want 1: the write comes before the truncation", len(all))
	}

	request := api.request(t, http.MethodDelete, pools+"/"+all[0].ID, nil)
	request.Close = true
	if response, err := api.client.Do(request); err == nil {
		response.Body.Close()
		t.Errorf("an answer without a body arrived with status %d, want a dropped connection", response.StatusCode)
	}
}

func TestFaultHangEndsWhenTheClientGoesAway(t *testing.T) {
	ctx, now := cancelOnArrival(t)
	api := newAPI(t, emulator.Options{Faults: emulator.Faults{Hang: 1}, Now: now})
	ended := make(chan struct{})
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		api.ServeHTTP(w, r)
	}))
	t.Cleanup(listener.Close)
	api.url = listener.URL
	request := api.request(t, http.MethodPost, pools, map[string]any{"name": "one", "description": ""})
	if response, err := api.client.Do(request.WithContext(ctx)); err == nil {
		response.Body.Close()
		t.Errorf("answered with status %d, want none", response.StatusCode)
	}
	<-ended
	if got := api.AgentPools("acme"); len(got) != 0 {
		t.Errorf("a request that hangs took effect: %v", got)
	}
}

func TestFaultHangEndsWithTheEmulator(t *testing.T) {
	arrived := make(chan struct{})
	api := newAPI(t, emulator.Options{Faults: emulator.Faults{Hang: 1}, Now: func() time.Time {
		close(arrived)
		return time.Unix(0, 0)
	}})
	request := api.request(t, http.MethodGet, pools, nil)
	answered := make(chan error)
	go func() {
		response, err := api.client.Do(request)
		if err == nil {
			response.Body.Close()
		}
		answered <- err
	}()
	<-arrived
	if err := api.Close(); err != nil {
		t.Error(err)
	}
	if err := <-answered; err == nil {
		t.Error("a request that hangs was answered")
	}
}

func TestFaultsFollowTheSeed(t *testing.T) {
	draw := func(seed uint64) []int {
		api := newAPI(t, emulator.Options{
			Seed: seed, Faults: emulator.Faults{TooManyRequests: 0.25, Error500: 0.25, Error503: 0.25},
		})
		statuses := make([]int, 200)
		for i := range statuses {
			statuses[i] = api.send(t, http.MethodGet, pools, nil).StatusCode
		}
		return statuses
	}
	first := draw(7)
	if diff := cmp.Diff(first, draw(7)); diff != "" {
		t.Errorf("the same seed drew other faults:\n%s", diff)
	}
	if cmp.Equal(first, draw(8)) {
		t.Error("another seed drew the same faults")
	}
	count := make(map[int]int)
	for _, status := range first {
		count[status]++
	}
	// About 50 of each; the seed is fixed, so that this can't fail by chance.
	for _, status := range []int{
		http.StatusOK, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable,
	} {
		if count[status] < 30 || count[status] > 70 {
			t.Errorf("status %d came %d times in 200, want about 50", status, count[status])
		}
	}
}
