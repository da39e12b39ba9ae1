package cli

import (
	"io"
	"log/slog"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/term"
)

// isTerminal says whether the stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// newLogger returns a logger of that level; an empty format is text on a terminal and JSON elsewhere.
func newLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if format == "text" || format == "" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

// kafkaLog passes the Kafka client's own messages on. The client's info is our debug: it speaks of every
// connection and every rebalance step.
type kafkaLog struct {
	log   *slog.Logger
	level kgo.LogLevel
}

func newKafkaLog(log *slog.Logger, level slog.Level) kafkaLog {
	if level <= slog.LevelDebug {
		return kafkaLog{log, kgo.LogLevelInfo}
	}
	return kafkaLog{log, kgo.LogLevelWarn}
}

// Level implements kgo.Logger.
func (k kafkaLog) Level() kgo.LogLevel { return k.level }

// Log implements kgo.Logger.
func (k kafkaLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	log := k.log.With("client", msg)
	switch level {
	case kgo.LogLevelError:
		log.Error("kafka client", keyvals...)
	case kgo.LogLevelWarn:
		log.Warn("kafka client", keyvals...)
	case kgo.LogLevelInfo, kgo.LogLevelDebug, kgo.LogLevelNone:
		log.Debug("kafka client", keyvals...)
	}
}
