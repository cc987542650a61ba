// Package healthhttp serves the state of a syncer over HTTP, for a readiness probe
// and for people.
//
//	mux.Handle("/ready/log", healthhttp.Handler(syncer, nil))
//
// The answer is always 200, with the state in the body, unless Options.Strict is
// set. That is on purpose: a program whose log does not reach Kafka still works, and
// what it logs goes to the fallback and to Kafka later. A probe that fails then takes
// all its instances out of service at once, as they share the Kafka, and makes an
// outage of the log one of the service. Alert on the state instead. As a liveness
// probe it is never of use: a restart does not bring Kafka back, and loses what is in
// memory if it comes as SIGKILL.
package healthhttp

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/zapkafka/zapkafka"
)

// Options are the choices of a handler. The zero value is a good one.
type Options struct {
	// Strict makes the status 503 while the state is zapkafka.FallbackOnly. It is for
	// services that must not take on work whose log, an audit trail say, does not
	// reach Kafka soon, and for a load balancer that has others to turn to. Default:
	// 200 whatever the state.
	Strict bool
}

// Health is the body of an answer. The counts are those of [zapkafka.Stats], since
// the start of the syncer and in entries.
type Health struct {
	// State is "healthy", "degraded" or "fallback only"; see [zapkafka.State].
	State string `json:"state"`
	// Since is when the state began, RFC 3339 in UTC.
	Since string `json:"since"`
	// LastDelivery is when Kafka last acknowledged something, RFC 3339 in UTC; not
	// there before the first time.
	LastDelivery string `json:"last_delivery,omitempty"`

	// Accepted is how many entries were given to the syncer, and the others what
	// became of them.
	Accepted uint64 `json:"accepted"`
	// Acked is how many Kafka has acknowledged.
	Acked uint64 `json:"acked"`
	// FellBack is how many went to the fallback.
	FellBack uint64 `json:"fell_back"`
	// Shed is how many were dropped for their level.
	Shed uint64 `json:"shed"`
	// Lost is how many are neither in Kafka nor on file.
	Lost uint64 `json:"lost"`
	// Pending is how many have no outcome yet.
	Pending uint64 `json:"pending"`
}

// Handler returns a handler that answers GET and HEAD with the state of a syncer: a
// [Health] as JSON, and status 200, or 503 as Options.Strict has it. Other methods get
// 405. It does not wait for Kafka or for a disk, and goes on answering after
// Shutdown, with the state that was then. o may be nil for all defaults.
//
// It lets in everybody; what it tells is counts, and no entry.
//
// A nil syncer panics.
func Handler(syncer *zapkafka.KafkaSyncer, o *Options) http.Handler {
	if syncer == nil {
		panic("healthhttp: Handler: the syncer is nil: use the one of NewKafkaSyncer")
	}
	h := handler{stats: syncer.Stats}
	if o != nil {
		h.strict = o.Strict
	}
	return h
}

type handler struct {
	stats  func() zapkafka.Stats
	strict bool
}

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		_, _ = io.WriteString(w, `{"error":"the state can only be asked for: use GET or HEAD"}`+"\n")
		return
	}
	st := h.stats()
	status := http.StatusOK
	if h.strict && st.State == zapkafka.FallbackOnly {
		status = http.StatusServiceUnavailable
	}
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		_ = json.NewEncoder(w).Encode(healthOf(&st)) // who asked has gone
	}
}

func healthOf(st *zapkafka.Stats) Health {
	h := Health{
		State: st.State.String(), Since: st.StateSince.UTC().Format(time.RFC3339),
		Accepted: st.Accepted, Acked: st.Acked, FellBack: st.FellBack.Total(), Shed: st.Shed, Lost: st.Lost.Total(), Pending: st.PendingEntries,
	}
	if !st.LastDelivery.IsZero() {
		h.LastDelivery = st.LastDelivery.UTC().Format(time.RFC3339)
	}
	return h
}
