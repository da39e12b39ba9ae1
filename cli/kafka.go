package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// SASL mechanisms that Kafka.Mechanism may name.
const (
	MechanismPlain    = "PLAIN"
	MechanismSCRAM256 = "SCRAM-SHA-256"
	MechanismSCRAM512 = "SCRAM-SHA-512"
)

// Kafka says how to reach the brokers. All clients of the process are made from its options.
type Kafka struct {
	Brokers   []string
	TLS       bool
	CAFile    string // empty: the system's authorities
	CertFile  string // with KeyFile: the client's own certificate
	KeyFile   string
	Mechanism string // empty: no login
	Username  string
	Password  Secret
	Opts      []kgo.Opt // further options, for embedded brokers
}

// metadataMinAge lets a client notice a moved leader or a new topic within a quarter of a second instead of
// the default 5 s.
const metadataMinAge = 250 * time.Millisecond

// retryTimeout is how long a command tries a request again: a leader has moved by then, and nobody waits half a
// minute, the default, to hear of a wrong password.
const retryTimeout = 10 * time.Second

// Options returns how every client of this process reaches the brokers, beside their addresses: encryption,
// login, log.
func (k Kafka) Options(log *slog.Logger, level slog.Level) ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.WithLogger(newKafkaLog(log, level))}
	if k.TLS {
		conf, err := k.tls()
		if err != nil {
			return nil, fmt.Errorf("set up TLS to Kafka: %w", err)
		}
		opts = append(opts, kgo.DialTLSConfig(conf))
	}
	switch k.Mechanism {
	case "":
	case MechanismPlain:
		opts = append(opts, kgo.SASL(plain.Auth{User: k.Username, Pass: string(k.Password)}.AsMechanism()))
	case MechanismSCRAM256:
		opts = append(opts, kgo.SASL(scram.Auth{User: k.Username, Pass: string(k.Password)}.AsSha256Mechanism()))
	case MechanismSCRAM512:
		opts = append(opts, kgo.SASL(scram.Auth{User: k.Username, Pass: string(k.Password)}.AsSha512Mechanism()))
	default:
		return nil, usagef("unknown SASL mechanism %q", k.Mechanism)
	}
	return append(opts, k.Opts...), nil
}

func (k Kafka) tls() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if k.CAFile != "" {
		pem, err := os.ReadFile(k.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read authorities: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read authorities: no certificate in %s", k.CAFile)
		}
	}
	if k.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(k.CertFile, k.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the client's certificate: %w", err)
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf, nil
}

// client returns a Kafka client with the common options and those given. The caller closes it.
func (c *call) client(opts ...kgo.Opt) (*kgo.Client, error) {
	reach, err := c.cfg.Kafka.Options(c.log, c.cfg.LogLevel)
	if err != nil {
		return nil, err
	}
	all := []kgo.Opt{
		kgo.SeedBrokers(c.cfg.Kafka.Brokers...),
		kgo.ClientID("stocksync"),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.RetryTimeout(retryTimeout),
		kgo.DisableClientMetrics(),
	}
	cl, err := kgo.NewClient(append(append(all, reach...), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("make Kafka client: %w", err)
	}
	return cl, nil
}

// errNoTopic is returned where a topic is needed that is not there.
var errNoTopic = errors.New("it does not exist; 'stocksync topics ensure' creates the topics")

// partitionsOf returns the number of partitions of a topic; a missing topic is an error that says what to do.
func partitionsOf(ctx context.Context, adm *kadm.Client, topic string) (int32, error) {
	found, err := adm.ListTopics(ctx, topic)
	if err == nil {
		err = found.Error()
	}
	if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return 0, fmt.Errorf("look up topic %s: %w", topic, err)
	}
	if !found.Has(topic) {
		return 0, fmt.Errorf("topic %s: %w", topic, errNoTopic)
	}
	return int32(len(found[topic].Partitions)), nil
}
