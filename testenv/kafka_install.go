package testenv

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// kafkaVersion is what embedded/pom.xml names.
const kafkaVersion = "4.3.1"

//go:embed embedded/pom.xml
var kafkaPOM []byte

// kafkaJars returns the directory of a Kafka node's jars, fetched by Maven when they are not there yet: about 54 MB and
// 6 s.
func kafkaJars(ctx context.Context) (string, error) {
	return Installed(ctx, "kafka-"+kafkaVersion, "lib", installKafka)
}

// installKafka puts the jars into a directory.
func installKafka(ctx context.Context, dir string) error {
	pom := filepath.Join(dir, "pom.xml")
	if err := os.WriteFile(pom, kafkaPOM, 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+dir)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("maven: %w\n%s", err, out)
	}
	return nil
}
