package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout is how long a service has to answer; a container's health check waits 5 s.
const healthTimeout = 4 * time.Second

const healthLong = `Ask the service that runs with the same HTTP_ADDR whether it works
(/healthz), or, with --ready, whether it is ready (/readyz). The answer goes to standard output;
exit code 0 is yes, 1 is no. For containers that have no curl.`

func (a *app) healthcheckCommand() *cobra.Command {
	ready := false
	cmd := &cobra.Command{
		Use:     "healthcheck",
		GroupID: groupOther,
		Short:   "Ask a running service whether it works",
		Long:    healthLong,
		Example: "  stocksync healthcheck\n  HTTP_ADDR=127.0.0.1:9100 stocksync healthcheck --ready",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether it is ready, too")
	cmd.RunE = a.run(func(ctx context.Context, c *call, _ []string) error {
		path := "/healthz"
		if ready {
			path = "/readyz"
		}
		return c.ask(ctx, path)
	})
	return cmd
}

// ask gets a path of the service and copies its answer to standard output.
func (c *call) ask(ctx context.Context, path string) error {
	host, port, err := net.SplitHostPort(c.cfg.HTTPAddr)
	if err != nil {
		return usagef("HTTP_ADDR: %w", err)
	}
	if port == "0" {
		return usagef("HTTP_ADDR has port 0: the service picked one and logged it; name that")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost" // the service listens on all addresses
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return fmt.Errorf("ask the service: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{}} // no proxy: the service is on this machine
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the service: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("ask the service: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d: %s", path, resp.StatusCode, strings.TrimSpace(string(body)))
	}
	_, err = c.Stdout.Write(body)
	return err
}
