package testenv

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

//go:embed embedded/log4j2.yaml
var kafkaLog4j []byte

//go:embed embedded/server.properties
var kafkaProperties string

// nodes are the JVMs of one cluster. The mutex is held for as long as a node is being started or stopped.
type nodes struct {
	dir  string // everything the cluster keeps; removed by close
	jars string

	mu  sync.Mutex
	all []*node
}

// node is one broker that is a controller too.
type node struct {
	id      int // from 1, as in server.properties
	port    int
	control int    // port of the controller listener
	dirID   string // directory id, which the quorum knows it by
	dir     string // server.properties, data/, log
	run     *child // nil before the first start
}

func (n *node) address() string { return "127.0.0.1:" + strconv.Itoa(n.port) }
func (n *node) log() string     { return filepath.Join(n.dir, "log") }
func (n *node) config() string  { return filepath.Join(n.dir, "server.properties") }
func (n *node) up() bool        { return n.run != nil && !n.run.ended() }

// makeNodes chooses ports and ids and writes the configuration. It always returns nodes to close.
func makeNodes(dir, jars string, count int) (*nodes, error) {
	ns := &nodes{dir: dir, jars: jars}
	ports, err := freePorts(2 * count)
	if err != nil {
		return ns, err
	}
	var controllers []string
	for i := range count {
		n := &node{
			id: i + 1, port: ports[2*i], control: ports[2*i+1],
			dirID: kafkaUUID(), dir: filepath.Join(dir, "node"+strconv.Itoa(i+1)),
		}
		ns.all = append(ns.all, n)
		controllers = append(controllers, "127.0.0.1:"+strconv.Itoa(n.control))
	}
	if err := os.WriteFile(filepath.Join(dir, "log4j2.yaml"), kafkaLog4j, 0o600); err != nil {
		return ns, fmt.Errorf("configure kafka: %w", err)
	}
	for _, n := range ns.all {
		text := strings.NewReplacer(
			"@NODE@", strconv.Itoa(n.id),
			"@CONTROLLERS@", strings.Join(controllers, ","),
			"@PORT@", strconv.Itoa(n.port),
			"@CONTROLLER_PORT@", strconv.Itoa(n.control),
			"@DATA@", filepath.Join(n.dir, "data"),
			"@REPLICAS@", strconv.Itoa(count),
			"@MIN_ISR@", strconv.Itoa((count+1)/2),
		).Replace(kafkaProperties)
		if err := os.Mkdir(n.dir, 0o700); err != nil {
			return ns, fmt.Errorf("configure kafka: %w", err)
		}
		if err := os.WriteFile(n.config(), []byte(text), 0o600); err != nil {
			return ns, fmt.Errorf("configure kafka: %w", err)
		}
	}
	return ns, nil
}

// kafkaUUID returns a random id as Kafka writes them; it refuses one that starts with a dash.
func kafkaUUID() string {
	for {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails
		if s := base64.RawURLEncoding.EncodeToString(b[:]); s[0] != '-' {
			return s
		}
	}
}

// java returns the arguments of a JVM that takes little memory and little time to start.
func (ns *nodes) java(args ...string) []string {
	return append([]string{
		"-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-Dlog4j2.configurationFile=" + filepath.Join(ns.dir, "log4j2.yaml"),
		"-cp", filepath.Join(ns.jars, "*"),
	}, args...)
}

// startAll formats and starts every node, all at the same time.
func (ns *nodes) startAll(ctx context.Context) error {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	quorum := []string{"--standalone"}
	if len(ns.all) > 1 {
		var voters []string
		for _, n := range ns.all {
			voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d:%s", n.id, n.control, n.dirID))
		}
		quorum = []string{"--initial-controllers", strings.Join(voters, ",")}
	}
	cluster := kafkaUUID()
	g, gctx := errgroup.WithContext(ctx)
	for _, n := range ns.all {
		g.Go(func() error {
			args := ns.java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", n.config())
			format := exec.CommandContext(gctx, "java", append(args, quorum...)...)
			if out, err := format.CombinedOutput(); err != nil {
				return fmt.Errorf("format node %d: %w\n%s", n.id, err, out)
			}
			return ns.start(n)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ns.ready(ctx)
}

// start starts the JVM of a node; its log is appended to.
func (ns *nodes) start(n *node) error {
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start node %d: %w", n.id, err)
	}
	defer log.Close() //nolint:errcheck // the child has its own handle
	cmd := exec.Command("java", ns.java("kafka.Kafka", n.config())...)
	cmd.Dir = n.dir
	cmd.Stdout, cmd.Stderr = log, log
	n.run, err = startChild(cmd)
	return err
}

// ready waits until each node that runs answers for itself and lists all that run.
func (ns *nodes) ready(ctx context.Context) error {
	up := 0
	for _, n := range ns.all {
		if n.up() {
			up++
		}
	}
	for _, n := range ns.all {
		if !n.up() {
			continue
		}
		if err := n.answers(ctx, up); err != nil {
			return fmt.Errorf("wait for node %d: %w", n.id, err)
		}
	}
	return nil
}

// answers waits until the node itself, asked directly, lists at least count brokers and a controller.
func (n *node) answers(ctx context.Context, count int) error {
	died, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-n.run.done:
			cancel(fmt.Errorf("it ended with code %d", n.run.code))
		case <-died.Done():
		}
	}()
	return Until(died, 50*time.Millisecond, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		cl, err := kgo.NewClient(
			kgo.SeedBrokers(n.address()), kgo.DisableClientMetrics(), kgo.RequestRetries(0))
		if err != nil {
			return err
		}
		defer cl.Close()
		meta, err := kadm.NewClient(cl).BrokerMetadata(ctx)
		if err != nil {
			return err
		}
		if len(meta.Brokers) < count || meta.Controller < 0 {
			return fmt.Errorf("it lists %d brokers of %d", len(meta.Brokers), count)
		}
		return nil
	})
}

// at returns a node by its place, from 0. The caller holds the mutex.
func (ns *nodes) at(i int) (*node, error) {
	if i < 0 || i >= len(ns.all) {
		return nil, fmt.Errorf("node %d of %d does not exist", i, len(ns.all))
	}
	return ns.all[i], nil
}

func (ns *nodes) kill(i int) error {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n, err := ns.at(i)
	if err != nil || n.run == nil {
		return err
	}
	return n.run.kill()
}

func (ns *nodes) stop(ctx context.Context, i int) error {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n, err := ns.at(i)
	if err != nil || n.run == nil {
		return err
	}
	if err := n.run.signal(syscall.SIGTERM); err != nil {
		return err
	}
	_, err = n.run.wait(ctx)
	return err
}

func (ns *nodes) restart(ctx context.Context, i int) error {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n, err := ns.at(i)
	if err != nil {
		return err
	}
	if n.up() {
		return fmt.Errorf("restart node %d: it is running", i)
	}
	if err := ns.start(n); err != nil {
		return err
	}
	return ns.ready(ctx)
}

// close kills every node and removes what the cluster kept.
func (ns *nodes) close() error {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	var errs []error
	for _, n := range ns.all {
		if n.run != nil {
			errs = append(errs, n.run.kill())
		}
	}
	errs = append(errs, os.RemoveAll(ns.dir))
	return errors.Join(errs...)
}

func (ns *nodes) addresses() []string {
	var out []string
	for _, n := range ns.all {
		out = append(out, n.address())
	}
	return out
}

// logs returns the ends of the nodes' logs.
func (ns *nodes) logs() string {
	var b strings.Builder
	for _, n := range ns.all {
		if n.run != nil {
			fmt.Fprintf(&b, "--- kafka node %d, end of its log\n%s\n", n.id, tail(n.log(), 30))
		}
	}
	return b.String()
}
