package emulator

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Faults are the rates, from 0 to 1, at which requests to Pulumi's API fail. A request suffers one fault at most, so
// that the rates' sum is the rate of all failures and can't exceed 1.
type Faults struct {
	// TooManyRequests answers 429 before the request took effect.
	TooManyRequests float64
	// Error500 answers 500 before the request took effect.
	Error500 float64
	// Error500After answers 500 after the request took effect.
	Error500After float64
	// Error503 answers 503 before the request took effect.
	Error503 float64
	// Drop closes the connection without an answer before the request took effect.
	Drop float64
	// DropAfter closes the connection without an answer after the request took effect.
	DropAfter float64
	// Hang never answers, and the request has no effect. It ends when the client goes away or the server is closed.
	Hang float64
	// Truncate closes the connection in the middle of the body, after the request took effect. An answer without a
	// body is dropped.
	Truncate float64

	// RetryAfter is what 429 and 503 say in Retry-After, in whole seconds, rounded up. 0 leaves the header out.
	RetryAfter time.Duration
}

type fault int

const (
	faultNone fault = iota
	faultTooManyRequests
	faultError500
	faultError500After
	faultError503
	faultDrop
	faultDropAfter
	faultHang
	faultTruncate
)

type faultRate struct {
	fault fault
	rate  float64
}

func (f Faults) rates() []faultRate {
	return []faultRate{
		{faultTooManyRequests, f.TooManyRequests},
		{faultError500, f.Error500},
		{faultError500After, f.Error500After},
		{faultError503, f.Error503},
		{faultDrop, f.Drop},
		{faultDropAfter, f.DropAfter},
		{faultHang, f.Hang},
		{faultTruncate, f.Truncate},
	}
}

func (f Faults) validate() error {
	var sum float64
	for _, r := range f.rates() {
		// Written so that NaN fails as well.
		if !(r.rate >= 0 && r.rate <= 1) {
			return fmt.Errorf("fault rate %v is not between 0 and 1", r.rate)
		}
		sum += r.rate
	}
	// Ten rates of 0.1 add up to slightly more than 1 in floating point.
	if sum > 1+1e-9 {
		return fmt.Errorf("fault rates add up to %v, which is more than 1", sum)
	}
	return nil
}

// faultDice draws the faults. The same seed and order of requests draw the same faults.
type faultDice struct {
	mu     sync.Mutex
	random *rand.Rand
	rates  []faultRate
}

func newFaultDice(faults Faults, seed uint64) *faultDice {
	if seed == 0 {
		seed = rand.Uint64()
	}
	dice := &faultDice{random: rand.New(rand.NewPCG(seed, seed))}
	for _, r := range faults.rates() {
		if r.rate > 0 {
			dice.rates = append(dice.rates, r)
		}
	}
	return dice
}

func (d *faultDice) roll() fault {
	if len(d.rates) == 0 {
		return faultNone
	}
	d.mu.Lock()
	value := d.random.Float64()
	d.mu.Unlock()
	for _, r := range d.rates {
		if value < r.rate {
			return r.fault
		}
		value -= r.rate
	}
	return faultNone
}

// injectFaults wraps next with the random faults.
func (s *Server) injectFaults(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch s.dice.roll() {
		case faultNone:
			next(w, r)
		case faultTooManyRequests:
			s.writeRetryLater(w, http.StatusTooManyRequests)
		case faultError500:
			writeError(w, refuse(http.StatusInternalServerError, "injected before the request took effect"))
		case faultError500After:
			next(&responseBuffer{header: http.Header{}}, r)
			writeError(w, refuse(http.StatusInternalServerError, "injected after the request took effect"))
		case faultError503:
			s.writeRetryLater(w, http.StatusServiceUnavailable)
		case faultDrop:
			panic(http.ErrAbortHandler)
		case faultDropAfter:
			next(&responseBuffer{header: http.Header{}}, r)
			panic(http.ErrAbortHandler)
		case faultHang:
			select {
			case <-r.Context().Done():
			case <-s.closing:
			}
			panic(http.ErrAbortHandler)
		case faultTruncate:
			buffer := &responseBuffer{header: w.Header()}
			next(buffer, r)
			buffer.writeHalf(w)
			panic(http.ErrAbortHandler)
		}
	}
}

func (s *Server) writeRetryLater(w http.ResponseWriter, status int) {
	if after := s.options.Faults.RetryAfter; after > 0 {
		seconds := (after + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	writeError(w, refuse(status, "injected before the request took effect"))
}

// responseBuffer takes an answer that does not reach the client, or not as it is.
type responseBuffer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (b *responseBuffer) Header() http.Header { return b.header }

func (b *responseBuffer) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}

func (b *responseBuffer) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

// writeHalf sends the headers of the whole answer and half of its body.
func (b *responseBuffer) writeHalf(w http.ResponseWriter) {
	if b.body.Len() == 0 {
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(b.body.Len()))
	w.WriteHeader(b.status)
	// The connection is aborted whether or not these reach the client.
	_, _ = w.Write(b.body.Bytes()[:b.body.Len()/2])
	_ = http.NewResponseController(w).Flush()
}
