package testenv_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"stocksync/testenv"
)

// TestMain runs the tests, or plays one of the programs that they start.
func TestMain(m *testing.M) {
	switch os.Getenv("TESTENV_PLAY") {
	case "":
		os.Exit(testenv.Main(m))
	case "server":
		os.Exit(playServer())
	case "parent":
		os.Exit(playParent())
	case "parent that waits":
		os.Exit(playWaitingParent())
	}
	os.Exit(7)
}

// playServer serves /readyz on HTTP_ADDR until SIGTERM, then ends with code 3.
func playServer() int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	fmt.Fprintln(os.Stderr, "log line")
	fmt.Println("output line", os.Args[1:], os.Getenv("COLOUR"), os.Getenv("LEAK"))
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	server := http.Server{Addr: os.Getenv("HTTP_ADDR"), Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { fmt.Fprintln(os.Stderr, server.ListenAndServe()) }()
	<-term
	return 3
}

// playParent starts a program that never ends and holds our standard output, says so, and never ends.
func playParent() int {
	cmd := exec.Command("sleep", "600")
	cmd.Stdout = os.Stdout
	if _, err := testenv.StartChild(cmd); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("started")
	select {}
}

// playWaitingParent waits for a program that never ends, holds our standard output and says so.
func playWaitingParent() int {
	cmd := exec.Command("sh", "-c", "echo started >&3; exec sleep 600")
	cmd.ExtraFiles = []*os.File{os.Stdout}
	out, err := testenv.CombinedOutput(cmd)
	fmt.Println(string(out), err)
	return 1
}
