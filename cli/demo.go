package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"stocksync/processor"
	"stocksync/sinks"
	"stocksync/testenv"
	"stocksync/topics"
)

// demoOptions are the flags of `demo`.
type demoOptions struct {
	dir      string
	skus     int
	rate     float64
	duration time.Duration
	seed     uint64
	plain    bool
}

// Limits of the flags.
const (
	demoSKUsMax = 100_000
	demoRateMax = 20_000
)

const demoLong = `Run everything in one process, with nothing installed: a Kafka broker, the
topics, sandbox shops that speak the webhook dialect, a catalogue with opening stock, live
traffic with the faults of real upstreams (duplicates, late and backdated lines, garbage), the
processor and the sinks.

On a terminal a panel shows rates, delay, deliveries and the latest changes in words; elsewhere
plain lines do. Ctrl-C ends the traffic, checks what came of it (all events are folded again by
a second, independent implementation; every shop must show what is available) and ends.
Everything is kept in --dir: the next demo goes on from there. Other commands work beside it,
with the KAFKA_BROKERS that it prints.`

const demoExample = `  stocksync demo
  stocksync demo --skus 5000 --rate 500
  stocksync demo --for 30s --dir /tmp/demo --seed 7 > demo.txt`

func (a *app) demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:         "demo",
		GroupID:     groupServe,
		Short:       "Show everything at work in one process, with nothing installed",
		Long:        demoLong,
		Example:     demoExample,
		Annotations: map[string]string{exitAnnotation: exitText + exitDifferentText},
		Args:        cobra.NoArgs,
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "dir", "./demo-data", "keep everything in this directory")
	f.IntVar(&o.skus, "skus", 200, "size of the catalogue")
	f.Float64Var(&o.rate, "rate", 20, "events per second")
	f.DurationVar(&o.duration, "for", 0, "end by itself after so long; 0 is at Ctrl-C")
	f.Uint64Var(&o.seed, "seed", 1, "one seed gives one catalogue and one traffic")
	f.BoolVar(&o.plain, "plain", false, "plain lines on a terminal too")
	cmd.RunE = a.run(func(ctx context.Context, c *call, _ []string) error {
		switch {
		case o.skus < 1 || o.skus > demoSKUsMax:
			return usagef("--skus %d: want 1 to %d", o.skus, demoSKUsMax)
		case !(o.rate > 0 && o.rate <= demoRateMax):
			return usagef("--rate %g: want more than 0 and at most %d", o.rate, demoRateMax)
		case o.duration < 0:
			return usagef("--for %s: want 0 or more", o.duration)
		case o.dir == "":
			return usagef("--dir: name a directory")
		}
		return runDemo(ctx, c, o)
	})
	return cmd
}

// demo is one run of the demo.
type demo struct {
	*call
	opts    demoOptions
	cluster *testenv.Cluster
	shops   *testenv.Sandbox
	client  *kgo.Client // of producers and the watcher's questions
	world   *world
	watch   *watch

	processor *processor.Processor
}

// demoCleanerPause is longer than any demo.
const demoCleanerPause = 10 * 365 * 24 * time.Hour

// Times of the demo's end; together they stay below the 15 s that every command has.
const (
	demoSettle = 5 * time.Second // until all is folded and delivered
	demoCheck  = 4 * time.Second
)

// runDemo builds the demo's parts, from the broker up, lets them run, checks them and takes them down.
func runDemo(ctx context.Context, c *call, o demoOptions) (err error) {
	d := &demo{call: c, opts: o}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return fmt.Errorf("make the demo's directory: %w", err)
	}
	closeLog, err := d.divertLog()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	began := time.Now()
	d.cluster, err = testenv.NewKfake(testenv.KfakeConfig{
		DataDir: filepath.Join(o.dir, "broker"),
		// Its cleaner heeds no open transaction: it never runs.
		Configs: map[string]string{"log.cleaner.backoff.ms": strconv.FormatInt(demoCleanerPause.Milliseconds(), 10)},
	})
	if err != nil {
		return fmt.Errorf("start the demo's broker: %w", err)
	}
	defer func() { err = errors.Join(err, d.cluster.Close()) }()
	d.cfg.Kafka = Kafka{Brokers: d.cluster.Brokers, Opts: d.cluster.Opts}
	d.cfg.StateDir, d.cfg.InstanceID = filepath.Join(o.dir, "state"), "demo"
	d.shops = testenv.NewSandbox(testenv.SandboxConfig{MaxWrites: 100_000, Seed: o.seed})
	if err := d.shops.Listen("127.0.0.1:0"); err != nil {
		return fmt.Errorf("start the demo's shops: %w", err)
	}
	defer func() { err = errors.Join(err, d.shops.Close()) }()
	if d.client, err = d.producer(); err != nil {
		return err
	}
	defer d.client.Close()
	ensure := d.ensureConfig()
	ensure.AllowDeleteChangelog, ensure.Log = true, nil // one replica is what an embedded broker has
	if _, err := topics.Ensure(ctx, kadm.NewClient(d.client), ensure); err != nil {
		return err
	}
	if d.world, err = openWorld(o); err != nil {
		return err
	}
	d.watch = newWatch(d, began)
	return d.live(ctx)
}

// divertLog keeps the log away from a panel: on a terminal it goes to a file, elsewhere only warnings are shown.
func (d *demo) divertLog() (closeLog func() error, err error) {
	if d.panel() {
		path := filepath.Join(d.opts.dir, "demo.log")
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open the demo's log: %w", err)
		}
		d.log = newLogger(f, d.cfg.LogLevel, d.cfg.LogFormat)
		return f.Close, nil
	}
	if d.cfg.LogLevel == slog.LevelInfo {
		d.log = newLogger(d.Stderr, slog.LevelWarn, d.cfg.LogFormat)
	}
	return func() error { return nil }, nil
}

// panel says whether the output is a terminal on which lines may be redrawn.
func (d *demo) panel() bool { return isTerminal(d.Stdout) && !d.opts.plain }

// live runs the parts until the demo is told to end or one of them fails, and then checks and ends it.
func (d *demo) live(ctx context.Context) error {
	reg := newRegistry()
	parts, err := d.parts(reg)
	if err != nil {
		return err
	}
	listener, err := d.listen(ctx, d.cfg.HTTPAddr)
	if errors.Is(err, syscall.EADDRINUSE) {
		listener, err = d.listen(ctx, "127.0.0.1:0")
	}
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, running := errgroup.WithContext(running)
	group.Go(func() error { return d.serve(running, listener, reg, parts) })
	group.Go(func() error { return d.watch.run(running) })
	d.greet(listener)
	if err := d.act(ctx, running); err != nil {
		stop()
		return errors.Join(err, group.Wait())
	}
	err = d.finish(context.WithoutCancel(ctx))
	stop()
	return errors.Join(err, group.Wait())
}

// parts builds processor and sinks; the sinks may reach the sandbox on this machine.
func (d *demo) parts(reg *prometheus.Registry) ([]part, error) {
	conf, err := d.processorConfig(reg)
	if err != nil {
		return nil, err
	}
	conf.EmbeddedBroker = true
	if d.processor, err = processor.New(conf); err != nil {
		return nil, err
	}
	sending, err := d.sinksConfig(reg)
	if err != nil {
		return nil, err
	}
	sending.AllowPrivate = true
	sending.Credentials = func(string) (map[string]string, error) {
		return map[string]string{"secret": testenv.DefaultSecret}, nil
	}
	s, err := sinks.New(sending)
	if err != nil {
		return nil, err
	}
	return []part{
		{name: "processor", run: d.processor.Run, ready: d.processor.Ready},
		{name: "sinks", run: s.Run, ready: s.Ready},
	}, nil
}

// greet prints where to look.
func (d *demo) greet(listener net.Listener) {
	url := "http://" + listener.Addr().String()
	again := "a new demo"
	if d.world.Events > 0 {
		again = fmt.Sprintf("going on after %d events", d.world.Events)
	}
	d.watch.say("stocksync demo in %s: %s, %d SKUs, %g events/s, seed %d",
		d.opts.dir, again, d.world.SKUs, d.opts.rate, d.world.Seed)
	d.watch.say("  look    %s/metrics  %s/readyz", url, url)
	for _, shop := range d.world.shops() {
		d.watch.say("  shop    %s shows %s at %s", shop.id, shop.words, d.shops.URL(shop.id))
	}
	d.watch.say("  ask     KAFKA_BROKERS=%s TOPIC_PREFIX=%s stocksync summary    (or explain %s)",
		d.cluster.Brokers[0], d.cfg.TopicPrefix, testenv.SKUName(0))
	if d.panel() {
		d.watch.say("  log     %s", filepath.Join(d.opts.dir, "demo.log"))
	}
	d.watch.say("  end     Ctrl-C")
}

// act sets the stage and lets the traffic flow until ctx ends, time is up or a part fails.
func (d *demo) act(ctx, running context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(running, func() { cancel(context.Cause(running)) })
	defer stop()
	if d.opts.duration > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, d.opts.duration)
		defer end()
	}
	err := d.world.open(ctx, d)
	if err == nil {
		err = d.world.traffic(ctx, d)
	}
	switch {
	case running.Err() != nil:
		return nil // the part that failed says why
	case ctx.Err() != nil:
		return nil // told to end
	default:
		return err
	}
}
