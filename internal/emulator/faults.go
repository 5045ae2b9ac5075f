package emulator

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"
)

// Faults maps names of faults to the share of requests to the API, from 0 to 1, that suffer them. [FaultNames] lists
// the names. A request suffers at most one fault, so that the shares should not add up to more than 1. [StaleReads] is
// independent of the other faults.
type Faults map[string]float64

// StaleReads is the share of new agent pools that the next one or two reads do not show, for up to five seconds. It
// models a service whose reads come from replicas.
const StaleReads = "stale-reads"

const maxStaleness = 5 * time.Second

// FaultNames returns the names that [Faults] can have, sorted. A fault with a name that ends in "-after" strikes after
// the request took effect. All others prevent the effect, unless their name says otherwise.
func FaultNames() []string {
	names := []string{StaleReads}
	for _, f := range faultTable {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return names
}

func (f Faults) validate() error {
	for name, rate := range f {
		if !slices.Contains(FaultNames(), name) {
			return fmt.Errorf("unknown fault %q; the names are %s", name, strings.Join(FaultNames(), ", "))
		}
		if !(rate >= 0 && rate <= 1) { // NaN is neither.
			return fmt.Errorf("the rate of fault %q is %v, not between 0 and 1", name, rate)
		}
	}
	return nil
}

// faultInjector draws the faults. A draw depends on the seed, the subject of the request and the number of requests
// with the same subject before it, so that parallel requests meet the same faults in each run.
type faultInjector struct {
	seed     uint64
	rates    Faults
	ordinals map[string]int
	counts   map[string]int
	// delayed are effects that are due when the next request arrives and the one after that.
	delayed [2][]func()
	// hidden are new agent pools that the next reads do not show, by ID.
	hidden map[string]hiddenPool
}

type hiddenPool struct {
	reads int
	until time.Time
}

func newFaultInjector(faults Faults, seed uint64) *faultInjector {
	return &faultInjector{
		seed: cmp.Or(seed, rand.Uint64()), rates: maps.Clone(faults),
		ordinals: make(map[string]int), counts: make(map[string]int), hidden: make(map[string]hiddenPool),
	}
}

// random returns the source of the next draw about a subject.
func (i *faultInjector) random(subject string) *rand.Rand {
	hash := fnv.New64a()
	_, _ = fmt.Fprintf(hash, "%s %d", subject, i.ordinals[subject]) // A hash never fails.
	i.ordinals[subject]++
	return rand.New(rand.NewPCG(i.seed, hash.Sum64()))
}

// next returns the fault of the next request about a subject, or nil.
func (i *faultInjector) next(subject string, write bool) *fault {
	value := i.random(subject).Float64()
	for _, f := range faultTable {
		if value -= i.rates[f.name]; value >= 0 {
			continue
		}
		if f.writesOnly && !write {
			break
		}
		i.counts[f.name]++
		return &f
	}
	return nil
}

// hideSome hides a share of new agent pools from reads.
func (i *faultInjector) hideSome(pool AgentPool) {
	random := i.random("stale " + pool.Name)
	if random.Float64() < i.rates[StaleReads] {
		i.counts[StaleReads]++
		i.hidden[pool.ID] = hiddenPool{reads: 1 + random.IntN(2), until: time.Now().Add(maxStaleness)}
	}
}

// hides reports whether the current read must not show an agent pool.
func (i *faultInjector) hides(poolID string) bool {
	hidden := i.hidden[poolID]
	if hidden.reads == 0 || time.Now().After(hidden.until) {
		return false
	}
	hidden.reads--
	i.hidden[poolID] = hidden
	return true
}

// SetFaults replaces the faults. Delayed effects take place at once. Without [StaleReads], reads show all pools again.
func (s *Server) SetFaults(faults Faults) error {
	if err := faults.validate(); err != nil {
		return err
	}
	s.mu.Lock()
	delayed := slices.Concat(s.faults.delayed[:]...)
	s.faults.rates, s.faults.delayed = maps.Clone(faults), [2][]func(){}
	if faults[StaleReads] == 0 {
		clear(s.faults.hidden)
	}
	s.mu.Unlock()
	for _, effect := range delayed {
		effect()
	}
	return nil
}

// FaultCounts returns how often each fault struck, and as "rate-limit" how many requests exceeded the rate limit.
func (s *Server) FaultCounts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.faults.counts)
}

// nextFault returns the fault of a request, or nil. It applies the delayed effects that are due.
func (s *Server) nextFault(r *http.Request) *fault {
	s.mu.Lock()
	f := s.faults.next(s.subject(r), r.Method != http.MethodGet)
	due := s.faults.delayed[0]
	s.faults.delayed = [2][]func(){s.faults.delayed[1]}
	s.mu.Unlock()
	for _, effect := range due {
		effect()
	}
	return f
}

// subject returns the subject of a request. It has the name of an agent pool rather than its ID, which is random.
func (s *Server) subject(r *http.Request) string {
	_, id, _ := strings.Cut(r.URL.Path, "/agent-pools/")
	for _, org := range s.organizations {
		if pool, err := org.pool(id); err == nil {
			return r.Method + " " + org.name + " " + pool.Name
		}
	}
	var created struct{ Name string }
	body, _ := r.GetBody()                     // It reads from memory.
	_ = json.NewDecoder(body).Decode(&created) // The API reports invalid JSON.
	return r.Method + " " + strings.TrimSuffix(r.URL.Path, id) + " " + created.Name
}

func (s *Server) serveWithFaults(api http.Handler, w http.ResponseWriter, r *http.Request) {
	f := s.nextFault(r)
	if f == nil {
		api.ServeHTTP(w, r)
		return
	}
	s.options.Logger.Debug("injecting a fault", "fault", f.name, "method", r.Method, "path", r.URL.Path)
	perform := func() *httptest.ResponseRecorder {
		// The request takes effect even if the client no longer waits.
		copied := r.Clone(context.WithoutCancel(r.Context()))
		copied.Body, _ = r.GetBody() // It reads from memory.
		response := httptest.NewRecorder()
		api.ServeHTTP(response, copied)
		return response
	}
	b := broken{w: w, r: r, response: httptest.NewRecorder()}
	for range f.effects {
		b.response = perform()
	}
	if f.effects == late {
		s.mu.Lock()
		n := s.faults.random("delay").IntN(len(s.faults.delayed))
		s.faults.delayed[n] = append(s.faults.delayed[n], func() { perform() })
		s.mu.Unlock()
	}
	if s.options.EchoSecrets {
		b.echo = strings.TrimSpace(r.Header.Get("Authorization") + " " + b.response.Body.String())
		b.echo += " " + base64.StdEncoding.EncodeToString([]byte(b.echo))
	}
	f.respond(b)
}
