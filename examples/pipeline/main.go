// Command pipeline is the service of docker-compose.yml, whose log goes through
// Kafka and Logstash into Elasticsearch: a shop that handles requests which nobody
// sends. It has what a service in production has, a fallback on a volume, ids by
// which doubles are removed, a key for each tenant, levels that change while it
// runs, and an end in good order.
//
//	go run ./pipeline -brokers localhost:9092 -topic test -http localhost:8080
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/zapkafka/zapkafka"
	"github.com/zapkafka/zapkafka/producer/franz"
)

type settings struct {
	brokers  string
	topic    string
	fallback string
	http     string
	rate     int
	check    string
}

func main() {
	s := settings{}
	flag.StringVar(&s.brokers, "brokers", "localhost:9092", "brokers, host:port, with commas between them")
	flag.StringVar(&s.topic, "topic", "test", "topic; it must exist")
	flag.StringVar(&s.fallback, "fallback", filepath.Join(os.TempDir(), "pipeline-fallback"), "directory for what Kafka does not take")
	flag.StringVar(&s.http, "http", "localhost:8080", "address of /healthz, /log/level and /metrics")
	flag.IntVar(&s.rate, "rate", 20, "requests handled in a second, at most 1000")
	flag.StringVar(&s.check, "check", "", "ask this URL for 200 OK and end: the health check of an image without a shell")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	var err error
	switch {
	case s.check != "":
		err = check(ctx, s.check)
	case s.rate < 1 || s.rate > 1000:
		err = fmt.Errorf("-rate is %d: it must be from 1 to 1000", s.rate)
	default:
		err = run(ctx, s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pipeline:", err)
		os.Exit(1)
	}
}

// run serves until ctx is over. Kafka need not be there, now or later.
func run(ctx context.Context, s settings) (err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.http)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // the server has closed it, unless there was none
	producer, err := franz.New(strings.Split(s.brokers, ","))
	if err != nil {
		return err
	}
	fallback, err := zapkafka.OpenFallback(s.fallback, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fallback.Close()) }()
	syncer, err := zapkafka.NewKafkaSyncer(producer, s.topic, fallback, &zapkafka.Options{IDHeader: true})
	if err != nil {
		return err
	}
	logger := zapkafka.New(syncer, zap.InfoLevel)

	pages, err := handler(logger, syncer, fallback)
	if err != nil {
		return errors.Join(err, syncer.Close())
	}
	server := &http.Server{Handler: pages, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Println("listening on", listener.Addr())

	work(ctx, logger, s.rate)

	limited, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = errors.Join(server.Shutdown(limited), syncer.Shutdown(limited))
	if serving := <-served; !errors.Is(serving, http.ErrServerClosed) {
		err = errors.Join(err, serving)
	}
	report(syncer.Stats(), fallback.Stats())
	return err
}

// report prints both balance sheets, which add up once the syncer is shut down.
func report(s zapkafka.Stats, f zapkafka.FallbackStats) {
	fmt.Printf("log:      accepted=%d acked=%d fell_back=%d shed=%d lost=%d\n", s.Accepted, s.Acked, s.FellBack.Total(), s.Shed, s.Lost.Total())
	fmt.Printf("fallback: inherited=%d stored=%d replayed=%d rejected=%d quarantined=%d evicted=%d on_file=%d\n",
		f.Inherited, f.Stored, f.Replayed, f.Rejected, f.Quarantined, f.Evicted, f.OnFile)
}

func check(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close() // of no interest
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
