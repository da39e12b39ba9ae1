package topics

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Report is what the topics of one installation are, and how that differs from what they should be.
type Report struct {
	Topics   []TopicReport `json:"topics"`   // in the order of Definitions; a missing topic has no partitions
	Findings []Finding     `json:"findings"` // every difference
}

// TopicReport is what one topic is.
type TopicReport struct {
	Base       string            `json:"base"`
	Name       string            `json:"name"`
	ID         string            `json:"id,omitzero"`
	Partitions int32             `json:"partitions"`
	Replicas   int               `json:"replicas"` // of the partition that has the fewest
	Leaderless []int32           `json:"leaderless,omitempty"`
	Settings   map[string]string `json:"settings,omitempty"`
	Created    bool              `json:"created,omitzero"` // by this Ensure
}

// Level says how bad a Finding is.
type Level string

// The levels.
const (
	LevelWarning Level = "warning" // works, but not as designed
	LevelError   Level = "error"   // must be mended first
)

// Finding is one difference between what a topic is and what it should be.
type Finding struct {
	Level   Level  `json:"level"`
	Topic   string `json:"topic"`   // full name
	Setting string `json:"setting"` // a Kafka setting, "partitions", "replicas", "leader" or "topic"
	Found   string `json:"found"`
	Wanted  string `json:"wanted"`
	Why     string `json:"why,omitzero"`
	Mend    string `json:"mend,omitzero"` // the command that mends it
}

// String returns the finding as one line.
func (f Finding) String() string {
	s := fmt.Sprintf("topic %s: %s is %s, wanted %s", f.Topic, f.Setting, f.Found, f.Wanted)
	if f.Why != "" {
		s += " (" + f.Why + ")"
	}
	if f.Mend != "" {
		s += "; mend it with: " + f.Mend
	}
	return s
}

// LogValue returns the finding's fields.
func (f Finding) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("topic", f.Topic), slog.String("setting", f.Setting), slog.String("found", f.Found),
		slog.String("wanted", f.Wanted), slog.String("why", f.Why), slog.String("mend", f.Mend))
}

// Topic returns the report of the topic with that base name; ok is false when there is none.
func (r Report) Topic(base string) (t TopicReport, ok bool) {
	i := slices.IndexFunc(r.Topics, func(t TopicReport) bool { return t.Base == base })
	if i < 0 {
		return TopicReport{}, false
	}
	return r.Topics[i], true
}

// Partitions returns how many partitions the topic with that base name has; 0 when it is missing.
func (r Report) Partitions(base string) int32 {
	t, _ := r.Topic(base)
	return t.Partitions
}

// ErrTopics is wrapped by the error of a Report with findings of LevelError.
var ErrTopics = errors.New("topics are not as they must be")

// Err returns the findings of LevelError as one error that wraps ErrTopics, or nil.
func (r Report) Err() error {
	var lines []string
	for _, f := range r.Findings {
		if f.Level == LevelError {
			lines = append(lines, f.String())
		}
	}
	if lines == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrTopics, strings.Join(lines, "\n"))
}

// Warnings returns the findings of LevelWarning.
func (r Report) Warnings() []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return f.Level != LevelWarning })
}
