package topics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Defaults of EnsureConfig.
const (
	DefaultPartitions     = 16
	DefaultSinkPartitions = 16
)

const (
	// leaderWait is how long Ensure waits for the leaders of new topics: a real broker needs well under a second.
	leaderWait = 30 * time.Second
	// leaderPoll is how long it waits before it looks again.
	leaderPoll = 100 * time.Millisecond
)

// EnsureConfig is what Ensure needs to know.
type EnsureConfig struct {
	Prefix            Prefix // the zero value is no prefix
	Partitions        int32  // of SKU-keyed topics, when mutations does not exist yet; 0 = DefaultPartitions
	SinkPartitions    int32  // of the topics around stores; 0 = DefaultSinkPartitions
	ReplicationFactor int16  // 0 or -1 = the broker's

	// AllowDeleteChangelog makes, and accepts, a changelog with cleanup.policy=delete and no retention: for the demo's
	// embedded broker, whose cleaner is unsafe beside open transactions. On a real broker its log would grow for ever.
	AllowDeleteChangelog bool

	Log *slog.Logger // nil = none
}

// Ensure makes the missing topics, checks the existing ones, and waits until every partition has a leader. It changes
// one thing in an existing topic: the guards of changelog and availability, once they have three replicas. The error
// wraps ErrTopics when topics are not as they must be, and names topic, setting, found, wanted and the command that
// mends it; the Report is complete then too. Warnings are logged and are in the Report. Several may run it at once.
func Ensure(ctx context.Context, admin *kadm.Client, c EnsureConfig) (Report, error) {
	e := ensurer{admin: admin, EnsureConfig: c}
	if e.Log == nil {
		e.Log = slog.New(slog.DiscardHandler)
	}
	report, err := e.run(ctx)
	if err != nil {
		return report, fmt.Errorf("ensure topics: %w", err)
	}
	for _, f := range report.Warnings() {
		e.Log.Warn("topic differs", "finding", f)
	}
	return report, report.Err()
}

// Describe compares the topics of a prefix with their definitions, and changes nothing. Its error is that of the
// brokers only; Report.Err says whether the topics are as they must be. A changelog with cleanup.policy=delete is
// reported as an error; Ensure alone can be told to accept it.
func Describe(ctx context.Context, admin *kadm.Client, prefix Prefix) (Report, error) {
	e := ensurer{admin: admin, EnsureConfig: EnsureConfig{Prefix: prefix, Partitions: -1, SinkPartitions: -1}}
	report, err := e.describe(ctx)
	if err != nil {
		return report, fmt.Errorf("describe topics: %w", err)
	}
	return report, nil
}

// ensurer is one run of Ensure or Describe.
type ensurer struct {
	EnsureConfig
	admin   *kadm.Client
	created map[string]bool // by base name
}

// run is Ensure, step by step.
func (e *ensurer) run(ctx context.Context) (Report, error) {
	if err := e.create(ctx); err != nil {
		return Report{}, err
	}
	if err := e.awaitLeaders(ctx); err != nil {
		return Report{}, err
	}
	if err := e.guard(ctx); err != nil {
		return Report{}, err
	}
	return e.describe(ctx)
}

// list asks the brokers, not the client's cache, for the topics of the prefix.
func (e *ensurer) list(ctx context.Context) (kadm.TopicDetails, error) {
	var names []string
	for _, d := range Definitions() {
		names = append(names, e.Prefix.Name(d.Base))
	}
	details, err := e.admin.ListTopics(kadm.WithAuthorizedOps(ctx), names...)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	for name, t := range details {
		if t.Err != nil && !errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
			return nil, fmt.Errorf("list %s: %w", name, t.Err)
		}
	}
	return details, nil
}

// create makes the topics that are missing. SKU-keyed ones get as many partitions as mutations has, whatever is
// configured: a scaled installation must not gain a narrower topic.
func (e *ensurer) create(ctx context.Context) error {
	e.created = make(map[string]bool)
	details, err := e.list(ctx)
	if err != nil {
		return err
	}
	counts := e.counts(details)
	for _, d := range Definitions() {
		name := e.Prefix.Name(d.Base)
		if details.Has(name) {
			continue
		}
		settings := make(map[string]*string)
		for setting, value := range d.settings(e.AllowDeleteChangelog) {
			settings[setting] = &value
		}
		made, err := e.admin.CreateTopic(ctx, counts(d.Partitions), e.replication(), settings, name)
		switch {
		case errors.Is(err, kerr.TopicAlreadyExists): // another Ensure was quicker; what it made is checked below
		case err != nil:
			return fmt.Errorf("create %s: %w %s", name, err, made.ErrMessage)
		default:
			e.created[d.Base] = true
			e.Log.Info("topic created", "topic", name, "partitions", counts(d.Partitions))
		}
	}
	return nil
}

// replication is the replication factor to ask for.
func (e *ensurer) replication() int16 {
	if e.ReplicationFactor <= 0 {
		return -1
	}
	return e.ReplicationFactor
}

// counts returns how many partitions a topic of each class should have; 0 = nobody said.
func (e *ensurer) counts(details kadm.TopicDetails) func(PartitionClass) int32 {
	sku := int32(len(details[e.Prefix.Name(Mutations)].Partitions))
	if sku == 0 {
		sku = orDefault(e.Partitions, DefaultPartitions)
	}
	return func(class PartitionClass) int32 {
		switch class {
		case PartitionsSKU:
			return sku
		case PartitionsSink:
			return orDefault(e.SinkPartitions, DefaultSinkPartitions)
		case PartitionsOne:
			return 1
		}
		return 0
	}
}

// orDefault returns a configured count: 0 is the default, and below 0 is nobody said.
func orDefault(configured, byDefault int32) int32 {
	if configured == 0 {
		return byDefault
	}
	return max(configured, 0)
}

// awaitLeaders returns when every partition of every topic has a leader: the first produce to a partition without one
// would stall.
func (e *ensurer) awaitLeaders(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, leaderWait, errLeaderWait)
	defer cancel()
	tick := time.NewTicker(leaderPoll)
	defer tick.Stop()
	for {
		details, err := e.list(ctx)
		if err != nil {
			return err
		}
		lacking := e.leaderless(details)
		if lacking == "" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the leaders of %s: %w", lacking, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

var errLeaderWait = errors.New("none within " + leaderWait.String())

// leaderless names the first topic that is not known yet, or has a partition without a leader.
func (e *ensurer) leaderless(details kadm.TopicDetails) string {
	for _, d := range Definitions() {
		name := e.Prefix.Name(d.Base)
		t := details[name]
		if t.Err != nil || len(t.Partitions) == 0 || len(withoutLeader(t)) > 0 {
			return name
		}
	}
	return ""
}

// withoutLeader returns the partitions of a topic that have no leader, in order.
func withoutLeader(t kadm.TopicDetail) []int32 {
	var lacking []int32
	for _, p := range t.Partitions.Sorted() {
		if p.Leader < 0 {
			lacking = append(lacking, p.Partition)
		}
	}
	return lacking
}

// guard sets the guards of the guarded topics that have three replicas and lack them.
func (e *ensurer) guard(ctx context.Context) error {
	report, err := e.describe(ctx)
	if err != nil {
		return err
	}
	for _, d := range Definitions() {
		t, _ := report.Topic(d.Base)
		if !d.Guarded || t.Replicas < guardedReplicas {
			continue
		}
		var changes []kadm.AlterConfig
		for name, wanted := range guards() {
			found := t.Settings[name]
			if found != wanted && (name != settingMinISR || !atLeast(found, wanted)) {
				changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &wanted})
			}
		}
		if len(changes) == 0 {
			continue
		}
		responses, err := e.admin.AlterTopicConfigs(ctx, changes, t.Name)
		if err != nil {
			return fmt.Errorf("guard %s: %w", t.Name, err)
		}
		for _, r := range responses {
			if r.Err != nil {
				return fmt.Errorf("guard %s: %w %s", t.Name, r.Err, r.ErrMessage)
			}
		}
		e.Log.Info("topic guarded", "topic", t.Name)
	}
	return nil
}

// describe reads topics and settings and compares them with the definitions.
func (e *ensurer) describe(ctx context.Context) (Report, error) {
	details, err := e.list(ctx)
	if err != nil {
		return Report{}, err
	}
	settings, err := e.settingsOf(ctx, details)
	if err != nil {
		return Report{}, err
	}
	var r Report
	v := verifier{prefix: e.Prefix, deleteChangelog: e.AllowDeleteChangelog, wanted: e.counts(details)}
	for _, d := range Definitions() {
		t := TopicReport{Base: d.Base, Name: e.Prefix.Name(d.Base), Created: e.created[d.Base]}
		if detail := details[t.Name]; detail.Err == nil && len(detail.Partitions) > 0 {
			t.ID = detail.ID.String()
			t.Partitions = int32(len(detail.Partitions))
			t.Replicas = detail.Partitions.NumReplicas()
			t.Leaderless = withoutLeader(detail)
			t.Settings = settings[t.Name]
		}
		v.verify(&d, &t)
		r.Topics = append(r.Topics, t)
	}
	r.Findings = v.sorted(r.Topics)
	return r, nil
}

// settingsOf reads the settings of the topics that exist, by topic and name.
func (e *ensurer) settingsOf(ctx context.Context, details kadm.TopicDetails) (map[string]map[string]string, error) {
	var names []string
	for name, t := range details {
		if t.Err == nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	configs, err := e.admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("describe settings: %w", err)
	}
	all := make(map[string]map[string]string, len(names))
	for _, rc := range configs {
		if rc.Err != nil {
			return nil, fmt.Errorf("describe settings of %s: %w %s", rc.Name, rc.Err, rc.ErrMessage)
		}
		all[rc.Name] = make(map[string]string)
		for _, name := range settingNames() {
			for _, c := range rc.Configs {
				if c.Key == name && c.Value != nil {
					all[rc.Name][name] = *c.Value
				}
			}
		}
	}
	return all, nil
}
