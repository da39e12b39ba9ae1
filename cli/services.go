package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"stocksync/processor"
	"stocksync/sinks"
	"stocksync/state"
	"stocksync/topics"
)

// servicesLong ends the help of every service.
const servicesLong = `

It serves HTTP on HTTP_ADDR: /metrics for Prometheus, /healthz (the process answers) and /readyz
(503 with the reason while state is restored, input is read late, or a partition is halted).
SIGTERM and SIGINT end it in order, within 15 s and with exit code 0. A second signal ends it at
once.

STATE_DIR is a cache of Kafka, locked while in use; it may be deleted when nothing runs.
INSTANCE_ID must be unique and should survive a restart. Any number of instances share the work,
as far as there are partitions.`

const serviceExample = `  stocksync %[1]s
  KAFKA_BROKERS=broker-1:9092 INSTANCE_ID=%[1]s-1 STATE_DIR=/var/lib/stocksync HTTP_ADDR=:8080 \
      stocksync %[1]s`

// serviceCommand returns the command of a service; parts builds what it runs.
func (a *app) serviceCommand(name, short, long string, parts func(*call, *prometheus.Registry) ([]part, error),
) *cobra.Command {
	return &cobra.Command{
		Use:     name,
		GroupID: groupServe,
		Short:   short,
		Long:    long + servicesLong,
		Example: fmt.Sprintf(serviceExample, name),
		Args:    cobra.NoArgs,
		RunE: a.run(func(ctx context.Context, c *call, _ []string) error {
			reg := newRegistry()
			list, err := parts(c, reg)
			if err != nil {
				return err
			}
			c.log.Info("starting", "version", readVersion().text(), "instance", c.cfg.InstanceID,
				"brokers", c.cfg.Kafka.Brokers, "prefix", c.cfg.TopicPrefix)
			listener, err := c.listen(ctx, c.cfg.HTTPAddr)
			if err != nil {
				return err
			}
			if err := c.serve(ctx, listener, reg, list); err != nil {
				return err
			}
			c.log.Info("stopped")
			return nil
		}),
	}
}

func (a *app) processorCommand() *cobra.Command {
	return a.serviceCommand("processor", "Fold mutations and orders into availability",
		`Run the processor: it folds stock mutations and orders, exactly once, into Actual and Reserved, and writes one
availability record for each SKU and transaction that touched it.`,
		func(c *call, reg *prometheus.Registry) ([]part, error) {
			p, err := c.processorPart(reg)
			return []part{p}, err
		})
}

func (a *app) sinksCommand() *cobra.Command {
	return a.serviceCommand("sinks", "Bring every store to the availability",
		`Run the sinks: they bring every live store of the topic stores to the availability of each SKU, and write per
SKU and store whether it is there and, if not, why (topics sync-status and sync-log).

Each store has one owner among the instances. Its secrets come from CREDENTIALS_DIR or a variable,
by the name in its credentials_ref. Tokens that marketplaces renew are kept in TOKENS_DIR, which all
instances share.`,
		func(c *call, reg *prometheus.Registry) ([]part, error) {
			p, err := c.sinksPart(reg)
			return []part{p}, err
		})
}

func (a *app) runCommand() *cobra.Command {
	return a.serviceCommand("run", "Run processor and sinks in one process",
		`Run the processor and the sinks in one process. The first that fails ends both. Larger installations run
'stocksync processor' and 'stocksync sinks' apart and scale each by itself.`,
		func(c *call, reg *prometheus.Registry) ([]part, error) {
			processing, err := c.processorPart(reg)
			if err != nil {
				return nil, err
			}
			sending, err := c.sinksPart(reg)
			return []part{processing, sending}, err
		})
}

// newRegistry returns a registry with the metrics of the Go runtime and the process.
func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return reg
}

// processorPart builds the processor.
func (c *call) processorPart(reg prometheus.Registerer) (part, error) {
	conf, err := c.processorConfig(reg)
	if err != nil {
		return part{}, err
	}
	p, err := processor.New(conf)
	if err != nil {
		return part{}, err
	}
	c.tune(conf.Memory())
	return part{name: "processor", run: p.Run, ready: p.Ready}, nil
}

// tune sets the collector up for a service that holds so much memory at most, and says so.
func (c *call) tune(memory int64) {
	if c.Tune == nil {
		return
	}
	say, limit := c.log.Info, c.Tune(memory)
	if limit < memory {
		say = c.log.Warn // it collects all the time, once it holds that much
	}
	say("memory", "at_most_mib", memory>>20, "limit_mib", limit>>20)
}

// processorConfig returns the settings as the processor takes them.
func (c *call) processorConfig(reg prometheus.Registerer) (processor.Config, error) {
	opts, err := c.cfg.Kafka.Options(c.log, c.cfg.LogLevel)
	if err != nil {
		return processor.Config{}, err
	}
	workers := c.cfg.ProcessorWorkers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0) // what a container is given, not what the machine has
	}
	return processor.Config{
		Brokers: c.cfg.Kafka.Brokers, ClientOpts: opts, Prefix: topics.Prefix(c.cfg.TopicPrefix),
		InstanceID: c.cfg.InstanceID, StateDir: filepath.Join(c.cfg.StateDir, "processor"), Version: readVersion().text(),
		State:   state.Config{CacheBytes: c.cfg.CacheBytes},
		Workers: workers, CommitInterval: c.cfg.CommitInterval, CommitMaxRecords: c.cfg.CommitMaxRecords,
		MaxRecordBytes: c.cfg.MaxRecordBytes, MaxLag: c.cfg.ReadyMaxLag, Policy: c.policy(),
		Zone: c.cfg.Timezone, NightlyAt: c.cfg.NightlyAt, NightlyRate: c.cfg.NightlyRate,
		ActiveWindow: c.cfg.ActiveWindow, HistoryRetention: c.cfg.HistoryRetention,
		Log: c.log, Registry: reg,
	}, nil
}

// sinksPart builds the sinks.
func (c *call) sinksPart(reg prometheus.Registerer) (part, error) {
	conf, err := c.sinksConfig(reg)
	if err != nil {
		return part{}, err
	}
	s, err := sinks.New(conf)
	if err != nil {
		return part{}, err
	}
	return part{name: "sinks", run: s.Run, ready: s.Ready}, nil
}

// sinksConfig returns the settings as the sinks take them.
func (c *call) sinksConfig(reg prometheus.Registerer) (sinks.Config, error) {
	opts, err := c.cfg.Kafka.Options(c.log, c.cfg.LogLevel)
	if err != nil {
		return sinks.Config{}, err
	}
	return sinks.Config{
		Brokers: c.cfg.Kafka.Brokers, ClientOpts: opts, Prefix: topics.Prefix(c.cfg.TopicPrefix),
		InstanceID: c.cfg.InstanceID, StateDir: filepath.Join(c.cfg.StateDir, "sinks"),
		Adapters: c.adapters(), Credentials: c.cfg.Credentials,
		AllowPrivate: c.cfg.AllowPrivateURLs, CatalogInterval: c.cfg.CatalogInterval, Zone: c.cfg.Timezone,
		NightlyAt: c.cfg.NightlyAt, Log: c.log, Registry: reg,
	}, nil
}
