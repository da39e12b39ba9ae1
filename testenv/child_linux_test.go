package testenv_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Ensure a program started here ends although its parent is killed and cannot clean up.
func TestChild_EndsWithItsParent(t *testing.T) {
	for _, play := range []string{"parent", "parent that waits"} {
		t.Run(play, func(t *testing.T) { outlived(t, play) })
	}
}

// outlived kills a parent and expects its child to end too.
func outlived(t *testing.T, play string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TESTENV_PLAY="+play)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "started\n" {
		t.Fatalf("got %q, %v, want started", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // the pipe ends when the last program that holds it does
		defer close(ended)
		_, _ = io.Copy(io.Discard, lines)
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the child lives on after its parent")
	}
	_ = cmd.Wait() // killed, as it was to be
}
