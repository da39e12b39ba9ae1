package topics_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"stocksync/topics"
)

var (
	warning = topics.Finding{Level: topics.LevelWarning, Topic: "stock.orders", Setting: "partitions", Found: "8", Wanted: "4"}
	fault   = topics.Finding{
		Level: topics.LevelError, Topic: "stock.stores", Setting: "cleanup.policy", Found: "delete", Wanted: "compact",
		Why: "it is lost", Mend: "mend it",
	}
)

func TestReport_ErrorsAreItsErrorAndWarningsAreNot(t *testing.T) {
	if err := (topics.Report{Findings: []topics.Finding{warning}}).Err(); err != nil {
		t.Errorf("a warning: got %v", err)
	}
	r := topics.Report{Findings: []topics.Finding{fault, warning, fault}}
	err := r.Err()
	line := "topic stock.stores: cleanup.policy is delete, wanted compact (it is lost); mend it with: mend it"
	if want := "topics are not as they must be: " + line + "\n" + line; !errors.Is(err, topics.ErrTopics) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if got := r.Warnings(); len(got) != 1 || got[0] != warning || len(r.Findings) != 3 || r.Findings[2] != fault {
		t.Errorf("got warnings %v of %v", got, r.Findings)
	}
	if got, want := warning.String(), "topic stock.orders: partitions is 8, wanted 4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReport_FindsATopicByItsBaseName(t *testing.T) {
	r := topics.Report{Topics: []topics.TopicReport{{Base: topics.Orders, Name: "x.orders", Partitions: 4}, {Base: topics.Stores}}}
	if got, ok := r.Topic(topics.Orders); !ok || got.Name != "x.orders" || r.Partitions(topics.Orders) != 4 {
		t.Errorf("got %+v, %v", got, ok)
	}
	if got, ok := r.Topic("x.orders"); ok || r.Partitions("x.orders") != 0 || r.Partitions(topics.Stores) != 0 {
		t.Errorf("got %+v, %v", got, ok)
	}
}

func TestReport_LogsAndPrintsItsFields(t *testing.T) {
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Warn("topic differs", "finding", fault)
	for _, text := range []string{`"topic":"stock.stores"`, `"setting":"cleanup.policy"`, `"found":"delete"`, `"wanted":"compact"`, `"mend":"mend it"`} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("the log lacks %s: %s", text, &out)
		}
	}
	got, err := json.Marshal(topics.Report{Topics: []topics.TopicReport{{Base: "b", Name: "n"}}, Findings: []topics.Finding{warning}})
	want := `{"topics":[{"base":"b","name":"n","partitions":0,"replicas":0}],` +
		`"findings":[{"level":"warning","topic":"stock.orders","setting":"partitions","found":"8","wanted":"4"}]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}
