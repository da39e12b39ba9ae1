package cli_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"stocksync/cli"
	"stocksync/testenv"
)

func TestKafka_LogsIn(t *testing.T) {
	for _, mechanism := range []string{cli.MechanismPlain, cli.MechanismSCRAM256, cli.MechanismSCRAM512} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel() // a wrong password is tried for some seconds
			c := testenv.StartKfake(t, func(k *testenv.KfakeConfig) {
				k.Opts = append(k.Opts, kfake.EnableSASL(), kfake.Superuser(mechanism, "ana", "hunter2"))
			})
			cfg := on(t, c)
			cfg.Kafka.Mechanism, cfg.Kafka.Username, cfg.Kafka.Password = mechanism, "ana", "hunter2"
			run(t, cfg, "topics", "ensure").want(t, cli.ExitOK, "1:created")
			cfg.Kafka.Password = "wrong-password"
			r := run(t, cfg, "topics", "ensure")
			r.want(t, cli.ExitFailed, "2:stocksync: ")
			if strings.Contains(r.stderr+r.stdout, "wrong-password") {
				t.Errorf("the password is printed: %s", r.stderr)
			}
		})
	}
}

func TestKafka_TrustsTheAuthoritiesOfTheFile(t *testing.T) {
	cert, authority := certificate(t)
	c := testenv.StartKfake(t, func(k *testenv.KfakeConfig) {
		k.Opts = append(k.Opts, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}))
	})
	cfg := on(t, c)
	cfg.Kafka.TLS = true
	run(t, cfg, "topics", "describe").want(t, cli.ExitFailed, "2:certificate")
	cfg.Kafka.CAFile = write(t, "ca.pem", authority)
	run(t, cfg, "topics", "ensure").want(t, cli.ExitOK, "1:created")
	cfg.Kafka.CAFile = write(t, "empty.pem", "nothing")
	run(t, cfg, "topics", "describe").want(t, cli.ExitFailed, "2:no certificate in")
}

// certificate makes a certificate for loopback that is its own authority, and that authority as PEM.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(authority)
}
